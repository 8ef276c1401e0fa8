/* Runs of a training in one process and on several ranks, and their comparison: threads of one
 * process, which meet in a file as processes do. */
#include "shared_runs.h"
#include "io/npy.h"
#include "io/picture.h"
#include "io/sound.h"
#include "io/weights.h"
#include "nets/clip.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CLIPS = 24, SIDE_PIXELS = 32, WAVE = 30000 };

char *root, *data, *clip_path;
chl_status (*run_rank)(const chl_training *, const chl_train_options *) = chl_trainer_run;

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

static void write_latents(void) {
    float latents[CLIPS * LATENT];
    for (int i = 0; i < CLIPS * LATENT; i++) latents[i] = sinf(1.3f * (float)i);
    char *path = in_folder(data, "latents.npy");
    const chl_desc desc = chl_f32(2, CLIPS, LATENT);
    MUST(chl_npy_write(path, &desc, latents));
    free(path);
}

int write_all(void **state) {
    (void)state;
    static const char *const labels[4] = {"heavy rain", "rain", "a bell", "church bells"};
    char lines[CLIPS * 256] = "", line[256];
    root = make_temporary();
    data = in_folder(root, "data");
    clip_path = in_folder(root, "clip.safetensors");
    mkdir(data, 0777);
    write_clip_pair();
    for (int i = 0; i < CLIPS; i++) {
        write_one(i);
        snprintf(line, sizeof line,
                 "{\"sound\":\"%d.wav\",\"picture\":\"%d.png\",\"label\":\"%s\",\"kind\":\"%s\","
                 "\"caption\":\"%s over hills %d\",\"time\":%d,\"season\":%d,\"house\":%d}\n",
                 i, i, labels[i % 4], labels[i % 4], labels[i % 4], i % 7, i % 4, i % 3, i % 2);
        strcat(lines, line);
    }
    put_file(data, "pairs.jsonl", lines, strlen(lines));
    write_latents();
    return 0;
}

int remove_all(void **state) {
    (void)state;
    remove_folder(root);
    free(root);
    free(data);
    free(clip_path);
    return 0;
}

/* --- ranks ------------------------------------------------------------------------------------ */
static void *thread_of_rank(void *of) {
    rank *r = of;
    r->status = run_rank(r->training, &r->options);
    char *checkpoint = in_folder(r->options.out, "checkpoint.safetensors");
    r->saved = access(checkpoint, F_OK) == 0;
    free(checkpoint);
    snprintf(r->error, sizeof r->error, "%s", r->status == CHL_OK ? "" : chl_error());
    return NULL;
}

void run_ranks(const chl_training *training, const chl_train_options *options, int ranks,
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

chl_train_options options_of(const chl_training *training, const char *sizes) {
    chl_train_options o = chl_training_defaults(training);
    o.save_every = 7;
    o.seed = 7;
    o.data = data;
    o.sizes = sizes;
    o.batch = GLOBAL;
    o.steps = RUN;
    o.rate = 1e-3f;
    o.average = 0.9f;
    o.device = "cpu";
    return o;
}

chl_train_options audio_options(const char *out) {
    chl_train_options o =
        options_of(&chl_training_audio, "patch=16,embed=16,depths=2-1,heads=2-2,window=7");
    o.out = out;
    o.clip = clip_path;
    o.vocab = VOCAB;
    return o;
}

char *train_on(const char *name, const chl_training *training, chl_train_options options,
               int ranks) {
    rank all[MOST];
    options.out = in_folder(root, name);
    run_ranks(training, &options, ranks, NULL, all);
    for (int r = 0; r < ranks; r++)
        if (all[r].status != CHL_OK) fail_msg("rank %d of %d: %s", r, ranks, all[r].error);
    return (char *)options.out;
}

void refuse(const chl_training *training, const chl_train_options *options, int ranks,
            void (*ready)(chl_train_options *, int), const char *text) {
    rank all[MOST];
    run_ranks(training, options, ranks, ready, all);
    for (int r = 0; r < ranks; r++) {
        assert_int_not_equal(all[r].status, CHL_OK);
        if (!strstr(all[r].error, text))
            fail_msg("rank %d: expected \"%s\", got \"%s\"", r, text, all[r].error);
    }
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
    return (strstr(name, "attn.qkv.bias") || strstr(name, "attn.in_proj_bias")) && i >= count / 3 &&
           i < 2 * count / 3;
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

void compare(const char *whole, const char *shared, int ranks) {
    chl_params *a = weights(whole), *b = weights(shared);
    double largest = 0, loss = 0;
    for (int64_t i = 0; i < a->count; i++) {
        const chl_array *other = chl_params_find(b, a->array[i].name);
        assert_non_null(other);
        if (a->array[i].desc.dtype != CHL_F32) continue;
        /* a bias begins at 0 and is still short, Adam's steps are not: more of it is rounding, and of the keys'
         * all, which have no gradient */
        const double share = a->array[i].desc.rank >= 2             ? 1
                             : strstr(a->array[i].name, "qkv.bias") ? 0.05
                                                                    : 0.1;
        const double d = share * difference(&a->array[i], other);
        if (d > 1e-5) print_message("  %s %.1e\n", a->array[i].name, d);
        if (d > largest) largest = d;
    }
    json_t *x;
    for (int step = 1; (x = stats_line(whole, step)); step++) {
        json_t *y = stats_line(shared, step);
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
    print_message("%d ranks: weights differ by %.1e of their length (biases: ten times as much, of "
                  "keys twenty), "
                  "losses by %.1e\n",
                  ranks, largest, loss);
    assert_true(largest < ALLOWED);
    assert_true(loss < ALLOWED);
    chl_params_free(a);
    chl_params_free(b);
}
