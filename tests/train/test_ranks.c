/* Training on several ranks: threads of one process, which meet in a file as processes do. */
#include "io/picture.h"
#include "io/sound.h"
#include "io/weights.h"
#include "nets/clip.h"
#include "runtime/comm.h"
#include "toy.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

enum { CLIPS = 24, GLOBAL = 12, SIDE_PIXELS = 32, WAVE = 30000, MOST = 4, RUN = 20 };
#define VOCAB CHLADNI_FIXTURES "/text/merges.txt"

static char *root, *data, *clip_path;

/* --- data ------------------------------------------------------------------------------------- */
static void write_clip_pair(void) {
    const chl_clip_config config = {.image = {.layers = 1, .width = 64, .heads = 1, .mlp = 64},
                                    .text = {.layers = 1, .width = 64, .heads = 1, .mlp = 64},
                                    .embed = 16,
                                    .resolution = 16,
                                    .patch = 8,
                                    .context = 16,
                                    .vocabulary = 714};
    chl_params *params;
    MUST(chl_clip_random(&config, 3, &params));
    MUST(chl_weights_write_safetensors(params, clip_path));
    chl_params_free(params);
}

static void write_one(int i) {
    static float wave[WAVE];
    uint8_t pixels[3 * SIDE_PIXELS * SIDE_PIXELS];
    char name[32];
    for (int k = 0; k < WAVE; k++)
        wave[k] = 0.4f * sinf(0.011f * (float)(i + 1) * (float)k) * expf(-1e-4f * (float)k);
    for (int k = 0; k < (int)sizeof pixels; k++)
        pixels[k] = (uint8_t)(127 + 100 * sin(0.07 * k * (i % 5 + 1) + i));
    snprintf(name, sizeof name, "%d.wav", i);
    char *path = in_folder(data, name);
    MUST(chl_sound_write(path, wave, WAVE));
    free(path);
    snprintf(name, sizeof name, "%d.png", i);
    path = in_folder(data, name);
    MUST(chl_raster_write_png(path, SIDE_PIXELS, SIDE_PIXELS, pixels));
    free(path);
}

static int write_all(void **state) {
    (void)state;
    static const char *const labels[4] = {"heavy rain", "rain", "a bell", "church bells"};
    char lines[CLIPS * 160] = "", line[160];
    root = make_temporary();
    data = in_folder(root, "data");
    clip_path = in_folder(root, "clip.safetensors");
    mkdir(data, 0777);
    write_clip_pair();
    for (int i = 0; i < CLIPS; i++) {
        write_one(i);
        snprintf(line, sizeof line,
                 "{\"sound\": \"%d.wav\", \"picture\": \"%d.png\", \"label\": \"%s\"}\n", i, i,
                 labels[i % 4]);
        strcat(lines, line);
    }
    put_file(data, "pairs.jsonl", lines, strlen(lines));
    return 0;
}

static int remove_all(void **state) {
    (void)state;
    remove_folder(root);
    free(root);
    free(data);
    free(clip_path);
    return 0;
}

/* --- ranks ------------------------------------------------------------------------------------ */
typedef struct rank {
    const chl_training *training;
    chl_train_options options;
    chl_status status;
    char error[512];
} rank;

static chl_train_options audio_options(const char *out) {
    chl_train_options o = {
        .size = sizeof o, .model = "audio", .cycles = 1, .save_every = 7, .seed = 7};
    chl_training_audio.defaults(&o);
    o.data = data;
    o.out = out;
    o.clip = clip_path;
    o.vocab = VOCAB;
    o.sizes = "patch=16,embed=16,depths=2-1,heads=2-2,window=7";
    o.batch = GLOBAL;
    o.steps = RUN;
    o.rate = 1e-3f;
    o.average = 0.9f;
    o.device = "cpu";
    return o;
}

static void *thread_of_rank(void *of) {
    rank *r = of;
    r->status = chl_trainer_run(r->training, &r->options);
    snprintf(r->error, sizeof r->error, "%s", r->status == CHL_OK ? "" : chl_error());
    return NULL;
}

/* `ready`, or NULL, changes the options of a rank. */
static void run_ranks(const chl_training *training, const chl_train_options *options, int ranks,
                      void (*ready)(chl_train_options *, int), rank *all) {
    pthread_t thread[MOST];
    char place[32];
    const int file = memfd_create("ranks", 0);
    assert_true(file >= 0);
    snprintf(place, sizeof place, "fd:%d", file);
    for (int r = 0; r < ranks; r++) {
        all[r] = (rank){.training = training, .options = *options};
        all[r].options.ranks = ranks;
        all[r].options.rank = r;
        all[r].options.meeting = place;
        if (ready) ready(&all[r].options, r);
    }
    for (int r = 0; r < ranks; r++)
        assert_int_equal(pthread_create(&thread[r], NULL, thread_of_rank, &all[r]), 0);
    for (int r = 0; r < ranks; r++) pthread_join(thread[r], NULL);
    close(file);
}

static char *train(const char *name, int ranks) {
    char *out = in_folder(root, name);
    const chl_train_options options = audio_options(out);
    rank all[MOST];
    run_ranks(&chl_training_audio, &options, ranks, NULL, all);
    for (int r = 0; r < ranks; r++)
        if (all[r].status != CHL_OK) fail_msg("rank %d of %d: %s", r, ranks, all[r].error);
    return out;
}

/* --- comparing -------------------------------------------------------------------------------- */
static chl_params *weights(const char *run) {
    chl_params *params;
    char *path = in_folder(run, "model.safetensors");
    MUST(chl_weights_read(path, &params));
    free(path);
    return params;
}

/* The keys' third of this bias adds the same number to all scores of a query, which softmax does
 * not see: its gradient is 0, what is computed is rounding, and Adam makes steps of full size of
 * it. */
static bool is_moved_by_rounding(const char *name, int64_t i, int64_t count) {
    return strstr(name, "attn.qkv.bias") && i >= count / 3 && i < 2 * count / 3;
}

/* |a - b| / |a| */
static double difference(const chl_array *a, const chl_array *b) {
    double square = 0, apart = 0;
    const int64_t count = chl_count(&a->desc);
    for (int64_t i = 0; i < count; i++) {
        const double x = (double)((float *)a->data)[i], y = (double)((float *)b->data)[i];
        if (is_moved_by_rounding(a->name, i, count)) continue;
        square += x * x;
        apart += (x - y) * (x - y);
    }
    return sqrt(apart / square);
}

static void compare(const char *whole, const char *shared, int ranks) {
    chl_params *a = weights(whole), *b = weights(shared);
    double largest = 0, loss = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const chl_array *other = chl_params_find(b, a->array[i].name);
        assert_non_null(other);
        if (a->array[i].desc.dtype != CHL_F32) continue;
        /* a bias begins at 0 and is still short, Adam's steps are not: more of it is rounding */
        const double share = a->array[i].desc.rank < 2 ? 0.1 : 1;
        const double d = share * difference(&a->array[i], other);
        if (d > 1e-5) print_message("  %s %.1e\n", a->array[i].name, d);
        if (d > largest) largest = d;
    }
    for (int step = 1; step <= RUN; step++) {
        json_t *x = stats_line(whole, step), *y = stats_line(shared, step);
        const char *name;
        json_t *term;
        json_object_foreach(json_object_get(x, "terms"), name, term) {
            const double want = json_number_value(term);
            const double got =
                json_number_value(json_object_get(json_object_get(y, "terms"), name));
            if (fabs(got / want - 1) > loss) loss = fabs(got / want - 1);
        }
        json_decref(x);
        json_decref(y);
    }
    print_message("%d ranks: weights differ by %.1e of their length (biases: ten times as much), "
                  "losses by %.1e\n",
                  ranks, largest, loss);
    assert_true(largest < 1e-5);
    assert_true(loss < 1e-5);
    chl_params_free(a);
    chl_params_free(b);
}

/* Twenty steps with all four losses, SpecAugment, wordings and weak pairs. */
static void ranks_compute_what_one_computes(void **state) {
    (void)state;
    char *whole = in_folder(root, "whole"), name[32];
    const chl_train_options options = audio_options(whole);
    MUST(chl_trainer_run(&chl_training_audio, &options));
    for (int ranks = 1; ranks <= MOST; ranks++) {
        snprintf(name, sizeof name, "ranks-%d", ranks);
        char *shared = train(name, ranks);
        compare(whole, shared, ranks);
        if (ranks == 1) assert_true(same_file(whole, shared, "model.safetensors"));
        free(shared);
    }
    free(whole);
}

/* The network that has drop path: one step of its loss. */
static void draws_of_drop_path_belong_to_samples(void **state) {
    (void)state;
    double loss[2];
    for (int i = 0; i < 2; i++) {
        char *out = in_folder(root, i ? "tiny-2" : "tiny-1");
        chl_train_options options = audio_options(out);
        rank all[MOST];
        options.sizes = "tiny";
        options.batch = 4;
        options.steps = 1;
        options.weight_image = options.weight_sound = options.weight_weak_pair = 0;
        run_ranks(&chl_training_audio, &options, 1 + i, NULL, all);
        for (int r = 0; r <= i; r++)
            if (all[r].status != CHL_OK) fail_msg("%s", all[r].error);
        loss[i] = loss_of(out, 1);
        free(out);
    }
    print_message("loss %.7f, of two ranks %.7f\n", loss[0], loss[1]);
    assert_true(fabs(loss[1] / loss[0] - 1) < 1e-5);
}

static void the_same_ranks_give_the_same_bits(void **state) {
    (void)state;
    char *one = train("first", 3), *two = train("second", 3);
    assert_true(same_file(one, two, "model.safetensors"));
    assert_true(same_file(one, two, "checkpoint.safetensors"));
    free(one);
    free(two);
}

/* Rank 0 writes the run, every other rank its log. */
static void rank_0_writes(void **state) {
    (void)state;
    char *out = train("files", 3);
    static const char *const files[] = {"model.safetensors", "checkpoint.safetensors",
                                        "options.json",      "log.txt",
                                        "log-1.txt",         "log-2.txt"};
    size_t size;
    char *log;
    for (int i = 0; i < 6; i++) {
        log = get_file(out, files[i], &size);
        if (!log) fail_msg("%s is missing", files[i]);
        free(log);
    }
    log = get_file(out, "log-2.txt", &size);
    assert_non_null(strstr(log, "rank 2 of 3 (local), 4 of 12 samples a step"));
    assert_null(strstr(log, "saved after step"));
    free(log);
    assert_null(stats_line(out, RUN + 1));
    free(out);
}

/* --- stopping and going on -------------------------------------------------------------------- */
static int stop_at_5(void *user, const chl_train_progress *progress) {
    (void)user;
    return progress->step == 5;
}
static void only_rank_1_stops(chl_train_options *o, int r) {
    o->progress = r == 1 ? stop_at_5 : NULL;
}

static void all_stop_when_one_wants_and_another_number_goes_on(void **state) {
    (void)state;
    char *whole = in_folder(root, "unbroken"), *out = in_folder(root, "stopped");
    chl_train_options options = audio_options(whole);
    rank all[MOST];
    MUST(chl_trainer_run(&chl_training_audio, &options));
    options = audio_options(out);
    run_ranks(&chl_training_audio, &options, 3, only_rank_1_stops, all);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(all[r].status, CHL_ERR_CANCELLED);
        assert_non_null(strstr(all[r].error, "stopped after step 6 of 20"));
    }
    options.resume = 1;
    run_ranks(&chl_training_audio, &options, 2, NULL, all);
    for (int r = 0; r < 2; r++)
        if (all[r].status != CHL_OK) fail_msg("rank %d: %s", r, all[r].error);
    compare(whole, out, 2);
    free(whole);
    free(out);
}

/* --- refusals --------------------------------------------------------------------------------- */
static void refuse(const chl_training *training, const chl_train_options *options, int ranks,
                   void (*ready)(chl_train_options *, int), const char *text) {
    rank all[MOST];
    run_ranks(training, options, ranks, ready, all);
    for (int r = 0; r < ranks; r++) {
        assert_int_not_equal(all[r].status, CHL_OK);
        if (!strstr(all[r].error, text))
            fail_msg("rank %d: expected \"%s\", got \"%s\"", r, text, all[r].error);
    }
}

static void other_seed_of_rank_1(chl_train_options *o, int r) {
    o->seed += (uint64_t)(r == 1);
}
static void no_clip_of_rank_2(chl_train_options *o, int r) {
    if (r == 2) o->clip = "/nowhere/clip.safetensors";
}

static void what_cannot_be_shared_is_refused_by_name(void **state) {
    (void)state;
    char *out = in_folder(root, "refused");
    chl_train_options options = audio_options(out);
    options.batch = 10;
    refuse(&chl_training_audio, &options, 3, NULL, "a batch of 10 for 3 ranks");
    options = audio_options(out);
    refuse(&chl_training_audio, &options, 2, other_seed_of_rank_1,
           "rank 1 has other options or data than rank 0");
    refuse(&chl_training_audio, &options, 3, no_clip_of_rank_2, "/nowhere/clip.safetensors");
    options.model = "toy";
    refuse(&toy_training, &options, 2, NULL, "ranks must be 1, got 2");
    options = audio_options(out);
    options.rank = 1;
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "rank must be in [0, ranks - 1], got 1"));
    options = audio_options(out);
    options.ranks = 2;
    assert_int_equal(chl_trainer_run(&chl_training_audio, &options), CHL_ERR_ARGUMENT);
    assert_non_null(strstr(chl_error(), "meeting place of 2 ranks"));
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_compute_what_one_computes),
        cmocka_unit_test(draws_of_drop_path_belong_to_samples),
        cmocka_unit_test(the_same_ranks_give_the_same_bits),
        cmocka_unit_test(rank_0_writes),
        cmocka_unit_test(all_stop_when_one_wants_and_another_number_goes_on),
        cmocka_unit_test(what_cannot_be_shared_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, write_all, remove_all);
}
