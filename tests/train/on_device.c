/* All seven trainings, and the tuning of a generator to a picture, on a GPU against the CPU: three steps
 * of small networks, with the frozen models that each needs, in float32 (losses and weights to 1e-4) and
 * in bf16 (to a few per cent); and a run on the GPU that is stopped and resumed writes the bits of one
 * that was not.
 *
 *     train_on_device --device NAME     tests/emu runs it on the emulated GPU */
#include "demo/train_judge.h"
#include "io/npy.h"
#include "io/picture.h"
#include "io/sound.h"
#include "io/weights.h"
#include "models/engine.h"
#include "nets/stylegan2.h"
#include "runtime/open.h"
#include "train/trainer.h"
#include <chladni/edit.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
/* which needs cmocka's assertions */
#include "train/temporary.h"
#ifdef TEST_BACKEND_EMU
#include "emu/backend_emu.h"
#endif

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

enum { SAMPLES = 4, SIDE = 16, LATENT = 6, STEPS = 3, WAVE = 22050 };
/* of the generator that an encoder inverts and that is tuned: as small as an encoder takes */
enum { INVERTED_SIDE = 32, INVERTED_W = 8 };

static chl_device *gpu;
static char *root, *data, *untuned, *inverted;      /* a folder and its generator */
static char *generator_model, *clip_model, *merges; /* of runs on the CPU, for later trainings */

/* --- four samples with everything that a training needs ------------------------------------------
 */
static void write_sample(int i) {
    float wave[WAVE];
    uint8_t pixels[3 * SIDE * SIDE];
    char name[32];
    for (int k = 0; k < WAVE; k++)
        wave[k] = 0.4f * sinf(0.02f * (float)(i + 1) * (float)k) * expf(-1e-4f * (float)k);
    for (int k = 0; k < 3 * SIDE * SIDE; k++)
        pixels[k] = (uint8_t)(127 + 100 * sin(0.07 * k * (i + 1) + i));
    snprintf(name, sizeof name, "%d.wav", i);
    char *path = in_folder(data, name);
    MUST(chl_sound_write(path, wave, WAVE));
    free(path);
    snprintf(name, sizeof name, "%d.png", i);
    path = in_folder(data, name);
    MUST(chl_raster_write_png(path, SIDE, SIDE, pixels));
    free(path);
}

static void write_generator(void) {
    const chl_stylegan2_shape shape = {.resolution = INVERTED_SIDE,
                                       .channel_base = 256,
                                       .channel_max = 8,
                                       .z_dim = 8,
                                       .w_dim = INVERTED_W,
                                       .mapping_layers = 2};
    chl_params *params;
    untuned = in_folder(root, "untuned");
    mkdir(untuned, 0777);
    inverted = in_folder(untuned, "model.safetensors");
    MUST(chl_stylegan2_random(&shape, 1, &params));
    MUST(chl_weights_write_safetensors(params, inverted));
    chl_params_free(params);
}

static int write_data(void **state) {
    (void)state;
    static const char *const labels[SAMPLES] = {"rain", "rain", "bell", "bell"};
    float latents[SAMPLES * LATENT];
    char lines[SAMPLES * 256] = "", line[256];
    root = make_temporary();
    data = in_folder(root, "data");
    mkdir(data, 0777);
    for (int i = 0; i < SAMPLES; i++) {
        write_sample(i);
        snprintf(line, sizeof line,
                 "{\"sound\":\"%d.wav\",\"picture\":\"%d.png\",\"label\":\"%s\",\"kind\":\"%s\","
                 "\"caption\":\"%s over hills %d\",\"time\":%d,\"season\":%d,\"house\":%d}\n",
                 i, i, labels[i], labels[i], labels[i], i, i, i % 3, i % 2);
        strcat(lines, line);
    }
    for (int i = 0; i < SAMPLES * LATENT; i++) latents[i] = sinf(1.3f * (float)i);
    put_file(data, "pairs.jsonl", lines, strlen(lines));
    char *path = in_folder(data, "latents.npy");
    const chl_desc desc = chl_f32(2, SAMPLES, LATENT);
    MUST(chl_npy_write(path, &desc, latents));
    free(path);
    write_generator();
    return 0;
}

static int remove_data(void **state) {
    (void)state;
    char *const names[] = {generator_model, clip_model, merges, inverted, untuned, data};
    remove_folder(root);
    for (int i = 0; i < 6; i++) free(names[i]);
    free(root);
    return 0;
}

/* --- runs ---------------------------------------------------------------------------------------
 */
static chl_model_place place_of(const char *name) {
    const bool cpu = strcmp(name, "cpu") == 0;
    return (chl_model_place){.device = cpu ? chl_device_cpu() : gpu,
                             .precision = strcmp(name, "bf16") == 0 ? CHL_BF16 : CHL_F32};
}

static chl_train_options options_of(const chl_training *training, const char *sizes) {
    chl_train_options o = chl_training_defaults(training);
    o.seed = 5;
    o.data = data;
    o.sizes = sizes;
    o.steps = STEPS;
    o.batch = SAMPLES;
    o.warm_up = 0;
    o.rate = 1e-4f; /* signs of gradients that are noise count less */
    return o;
}

/* root/training-name, whose name the caller frees */
static char *run_on(const chl_training *training, chl_train_options o, const char *name) {
    char folder[64];
    snprintf(folder, sizeof folder, "%s-%s", training->name, name);
    char *out = in_folder(root, folder);
    const chl_model_place place = place_of(name);
    o.out = out;
    MUST(chl_trainer_run_at(training, &o, &place));
    return out;
}

static void read_losses(const char *run, double loss[STEPS]) {
    size_t size;
    char *text = get_file(run, "stats.jsonl", &size), *at = text;
    for (int i = 0; i < STEPS; i++) {
        json_t *line = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
        assert_non_null(line);
        loss[i] = json_number_value(json_object_get(line, "loss"));
        json_decref(line);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, 0);
    free(text);
}

static chl_params *read_weights(const char *run, const char *file) {
    char *path = in_folder(run, file);
    chl_params *params;
    MUST(chl_weights_read(path, &params));
    free(path);
    return params;
}

/* The Euclidean length of the difference over that of what it should be, over all weights: Adam's
 * first steps are signs, so that single weights of almost no gradient may go the other way. */
static double weights_apart(const char *run, const char *reference) {
    chl_params *got = read_weights(run, "model.safetensors");
    chl_params *want = read_weights(reference, "model.safetensors");
    double difference = 0, square = 0;
    assert_int_equal(got->count, want->count);
    for (int64_t i = 0; i < want->count; i++) {
        const chl_array *a = chl_params_find(got, want->array[i].name), *b = &want->array[i];
        assert_non_null(a);
        if (b->desc.dtype != CHL_F32) continue;
        for (int64_t k = 0; k < chl_count(&b->desc); k++) {
            const double x = (double)((float *)a->data)[k], y = (double)((float *)b->data)[k];
            difference += (x - y) * (x - y);
            square += y * y;
        }
    }
    chl_params_free(got);
    chl_params_free(want);
    return sqrt(difference / square);
}

static double assert_all_near(const char *run, const char *reference, const double got[STEPS],
                              const double want[STEPS], double loss_allowed,
                              double weights_allowed) {
    double worst = 0;
    for (int i = 0; i < STEPS; i++) worst = fmax(worst, fabs(got[i] - want[i]) / fabs(want[i]));
    const double weights = weights_apart(run, reference);
    print_message("%s: losses %.6f %.6f %.6f, apart %.1e; weights %.1e\n", strrchr(run, '/') + 1,
                  got[0], got[1], got[2], worst, weights);
    assert_true(worst <= loss_allowed);
    assert_true(weights <= weights_allowed);
    assert_true(weights > 0); /* it is another device's run */
    return worst;
}

static double assert_near(const char *run, const char *reference, double loss_allowed,
                          double weights_allowed) {
    double got[STEPS], want[STEPS];
    read_losses(run, got);
    read_losses(reference, want);
    return assert_all_near(run, reference, got, want, loss_allowed, weights_allowed);
}

static void assert_resumes(const chl_training *training, chl_train_options o, const char *whole) {
    char *out = in_folder(root, "resumed");
    const chl_model_place place = place_of("gpu");
    o.out = out;
    o.resume = 1;
    for (o.stop_after = 2; o.stop_after <= STEPS; o.stop_after++)
        MUST(chl_trainer_run_at(training, &o, &place));
    assert_true(same_file(whole, out, "model.safetensors"));
    assert_true(same_file(whole, out, "checkpoint.safetensors"));
    remove_folder(out);
    free(out);
}

/* Batches made ahead by a thread are those that the step makes itself. */
static void assert_ahead_changes_nothing(const chl_training *training, chl_train_options o,
                                         const char *whole) {
    char *out = in_folder(root, "ahead");
    const chl_model_place cpu = place_of("cpu");
    o.out = out;
    o.ahead = 2;
    MUST(chl_trainer_run_at(training, &o, &cpu));
    assert_true(same_file(whole, out, "model.safetensors"));
    assert_true(same_file(whole, out, "checkpoint.safetensors"));
    remove_folder(out);
    free(out);
}

/* On the GPU, against the CPU's run of the whole batch. */
static void assert_micro_batches_change_rounding_only(const chl_training *training,
                                                      chl_train_options o, const char *whole) {
    char *out = in_folder(root, "chunks");
    const chl_model_place place = place_of("gpu");
    o.out = out;
    o.micro_batch = SAMPLES / 2;
    MUST(chl_trainer_run_at(training, &o, &place));
    assert_near(out, whole, 1e-4, 1e-4);
    remove_folder(out);
    free(out);
}

/* The CPU's run stays for the trainings that need its model; the caller frees its name. */
static char *compare(const chl_training *training, chl_train_options o) {
    char *cpu = run_on(training, o, "cpu"), *on_gpu = run_on(training, o, "gpu");
    char *bf16 = run_on(training, o, "bf16");
    assert_near(on_gpu, cpu, 1e-4, 1e-4);
    assert_true(assert_near(bf16, cpu, 4e-2, 1e-3) > 1e-5); /* it computes in bf16 */
    assert_resumes(training, o, on_gpu);
    assert_ahead_changes_nothing(training, o, cpu);
    free(on_gpu);
    free(bf16);
    return cpu;
}

/* In float32 only: its penalties are second derivatives. Augmented, on pictures without words. */
static void gan_trains_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    chl_train_options o = options_of(&chl_training_gan, "base=64,max=8,z=8,w=8,mapping=2");
    o.cycles = 0;
    o.resolution = 8;
    o.augment = "bgc";
    o.augment_p = 0.5f;
    char *cpu = run_on(&chl_training_gan, o, "cpu"), *on_gpu = run_on(&chl_training_gan, o, "gpu");
    assert_near(on_gpu, cpu, 1e-4, 1e-4);
    assert_resumes(&chl_training_gan, o, on_gpu);
    assert_ahead_changes_nothing(&chl_training_gan, o, cpu);
    o.precision = CHL_PRECISION_AUTO; /* of a device that has bf16 */
    char *chosen = run_on(&chl_training_gan, o, "bf16");
    assert_true(same_file(chosen, on_gpu, "model.safetensors"));
    o.precision = CHL_PRECISION_BF16;
    const chl_model_place place = place_of("bf16");
    o.out = chosen;
    o.resume = 1;
    assert_int_equal(chl_trainer_run_at(&chl_training_gan, &o, &place), CHL_ERR_UNSUPPORTED);
    free(chosen);
    free(cpu);
    free(on_gpu);
}

static void judge_trains_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    free(compare(&chl_training_judge, options_of(&chl_training_judge, "side=16,widths=8-16")));
}

static void generator_trains_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    const chl_train_options o =
        options_of(&chl_training_generator, "resolution=16,base=128,max=8,w=8,mapping=2");
    char *run = compare(&chl_training_generator, o);
    generator_model = in_folder(run, "model.safetensors");
    free(run);
}

static void clip_trains_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    chl_train_options o =
        options_of(&chl_training_clip, "resolution=16,patch=8,width=64,layers=1,text_width=64,"
                                       "text_layers=1,context=8,embed=16,pool=8");
    o.generator = generator_model;
    o.adversary = 0.1f;
    char *run = compare(&chl_training_clip, o);
    clip_model = in_folder(run, "model.safetensors");
    merges = in_folder(run, "merges.txt");
    free(run);
}

static void audio_trains_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    chl_train_options o =
        options_of(&chl_training_audio, "patch=32,embed=16,depths=2,heads=2,window=7");
    o.clip = clip_model;
    o.vocab = merges;
    o.weight_text = o.weight_image = o.weight_sound = o.weight_weak_pair = 1;
    char *whole = compare(&chl_training_audio, o);
    assert_micro_batches_change_rounding_only(&chl_training_audio, o, whole);
    free(whole);
}

static void classifier_trains_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    chl_train_options o =
        options_of(&chl_training_classifier, "patch=56,embed=16,depths=1,heads=2,window=4");
    free(compare(&chl_training_classifier, o));
}

static void encoder_trains_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    chl_train_options o = options_of(&chl_training_encoder, "width=8,depths=1-1-1-1");
    assert_non_null(clip_model); /* of the run before */
    o.generator = inverted;
    o.clip = clip_model;
    free(compare(&chl_training_encoder, o));
}

/* --- a generator tuned to a picture -------------------------------------------------------------
 */
typedef struct tuned {
    char *folder; /* with its model.safetensors */
    double loss[STEPS];
} tuned;

static int keep_loss(void *user, const chl_edit_progress *progress) {
    ((tuned *)user)->loss[progress->step - 1] =
        (double)progress->latent_loss + (double)progress->similarity_loss;
    return 0;
}

static tuned tune_on(const char *name) {
    float photo[3 * INVERTED_SIDE * INVERTED_SIDE], w[CHL_STYLE_ROWS * INVERTED_W];
    chl_engine engine = {.place = place_of(name)};
    char folder[32];
    snprintf(folder, sizeof folder, "tuned-%s", name);
    tuned t = {.folder = in_folder(root, folder)};
    mkdir(t.folder, 0777);
    for (int i = 0; i < (int)(sizeof photo / sizeof *photo); i++) photo[i] = 0.8f * sinf(0.1f * i);
    for (int i = 0; i < (int)(sizeof w / sizeof *w); i++) w[i] = sinf(1.3f * (float)i);
    const chl_generator_settings plain = {0};
    const chl_clip_settings settings = {.resize = CHL_CLIP_AREA};
    MUST(chl_generator_open(&engine.place, inverted, &plain, &engine.generator));
    MUST(chl_clip_open(&engine.place, clip_model, NULL, &settings, &engine.clip));
    chl_tune_options o = chl_tune_defaults(&engine);
    o.steps = STEPS;
    o.progress = keep_loss;
    o.user = &t;
    MUST(chl_tune(&engine, &o, photo, w));
    char *path = in_folder(t.folder, "model.safetensors");
    MUST(chl_write_generator(&engine, path));
    free(path);
    chl_generator_close(engine.generator);
    chl_clip_close(engine.clip);
    return t;
}

static void a_generator_is_tuned_on_the_gpu_as_on_the_cpu(void **state) {
    (void)state;
    assert_non_null(clip_model); /* of the run before */
    tuned cpu = tune_on("cpu"), on_gpu = tune_on("gpu"), bf16 = tune_on("bf16");
    const double moved = weights_apart(cpu.folder, untuned); /* of all weights few */
    print_message("tuning moves the weights by %.1e\n", moved);
    assert_all_near(on_gpu.folder, cpu.folder, on_gpu.loss, cpu.loss, 1e-4, 1e-3 * moved);
    assert_true(assert_all_near(bf16.folder, cpu.folder, bf16.loss, cpu.loss, 4e-2, moved) > 1e-5);
    free(cpu.folder);
    free(on_gpu.folder);
    free(bf16.folder);
}

/* --- a judge whose run ends early ---------------------------------------------------------------
 */
static chl_status judge_on(const char *name, const char *folder, chl_train_options o) {
    char *out = in_folder(root, folder);
    const chl_model_place place = place_of(name);
    o.out = out;
    const chl_status status = chl_trainer_run_at(&chl_training_judge, &o, &place);
    free(out);
    return status;
}

/* The GPU has the next step queued by then: it is part of the checkpoint. */
static int stop_at_2(void *user, const chl_train_progress *progress) {
    *(int *)user = (int)progress->step;
    return progress->step == 2;
}

static void a_run_on_the_gpu_that_is_told_to_stop_resumes(void **state) {
    (void)state;
    int seen = 0;
    chl_train_options o = options_of(&chl_training_judge, "side=16,widths=8-16");
    o.steps = 6;
    MUST(judge_on("gpu", "unstopped", o));
    o.progress = stop_at_2;
    o.user = &seen;
    assert_int_equal(judge_on("gpu", "stopped", o), CHL_ERR_CANCELLED);
    assert_non_null(strstr(chl_error(), "stopped after step 3 of 6"));
    assert_int_equal(seen, 3);
    o.progress = NULL;
    o.resume = 1;
    MUST(judge_on("gpu", "stopped", o));
    char *whole = in_folder(root, "unstopped"), *out = in_folder(root, "stopped");
    assert_true(same_file(whole, out, "checkpoint.safetensors"));
    free(whole);
    free(out);
}

static void a_loss_that_is_no_number_is_found_at_its_step(void **state) {
    (void)state;
    chl_train_options o = options_of(&chl_training_judge, "side=16,widths=8-16");
    o.steps = 9;
    o.rate = 1e30f;
    static const char *const names[] = {"cpu", "gpu"};
    for (int i = 0; i < 2; i++) {
        char folder[32];
        snprintf(folder, sizeof folder, "broken-%s", names[i]);
        assert_int_equal(judge_on(names[i], folder, o), CHL_ERR_NUMERIC);
        assert_non_null(strstr(chl_error(), "at step 2"));
    }
}

/* By the thread that makes batches, of a batch that is not the first. */
static void a_picture_that_cannot_be_read_is_named(void **state) {
    (void)state;
    char *folder = in_folder(root, "unreadable"), lines[1024] = "", line[256];
    mkdir(folder, 0777);
    for (int i = 0; i < SAMPLES; i++) {
        snprintf(line, sizeof line,
                 "{\"picture\":\"../data/%d.png\",\"kind\":\"%s\",\"time\":0,\"season\":0,"
                 "\"house\":0}\n",
                 i < SAMPLES - 1 ? i : 99, i % 2 ? "rain" : "bell");
        strcat(lines, line);
    }
    put_file(folder, "pairs.jsonl", lines, strlen(lines));
    chl_train_options o = options_of(&chl_training_judge, "side=16,widths=8-16");
    o.data = folder;
    o.batch = 1;
    o.steps = SAMPLES;
    o.tolerate = 0;
    assert_int_equal(judge_on("gpu", "unread", o), CHL_ERR_IO);
    assert_non_null(strstr(chl_error(), "99.png"));
    free(folder);
}

#ifdef TEST_BACKEND_EMU
static bool open_gpu(int argc, char **argv) {
    (void)argc;
    (void)argv;
    gpu = chl_device_emu();
    return true;
}
#else
static bool open_gpu(int argc, char **argv) {
    const char *why = "usage: train_on_device --device NAME";
    if (argc == 3 && !strcmp(argv[1], "--device")) gpu = chl_device_open(argv[2], &why);
    if (!gpu) fprintf(stderr, "train_on_device: %s\n", why);
    return gpu != NULL;
}
#endif

int main(int argc, char **argv) {
    if (!open_gpu(argc, argv)) return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_trains_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(generator_trains_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(gan_trains_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(clip_trains_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(audio_trains_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(classifier_trains_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(encoder_trains_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(a_generator_is_tuned_on_the_gpu_as_on_the_cpu),
        cmocka_unit_test(a_run_on_the_gpu_that_is_told_to_stop_resumes),
        cmocka_unit_test(a_loss_that_is_no_number_is_found_at_its_step),
        cmocka_unit_test(a_picture_that_cannot_be_read_is_named)};
    const int failed = cmocka_run_group_tests(tests, write_data, remove_data);
    chl_device_close(gpu);
    return failed;
}
