/* chladni-bench io: what reading and writing a file of each kind costs, of which a training reads one
 * of each per sample and an edit writes some. Each file is written by our writer and read back, and
 * must have the same size; a read finds it in the system's memory, so that the decoder is timed and
 * not the disk. Writing waits for the disk: files appear complete or not at all. */
#include "files.h"
#include "base/clock.h"
#include "io/npy.h"
#include "io/picture.h"
#include "io/sound.h"
#include "io/weights.h"
#include "kernel_timing.h"
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAMPLES = 441000, SIDE = 256, NUMBERS = 8 << 20 }; /* 10 s, a picture, 32 MiB of weights */

typedef struct bench {
    int runs;
    bool json;
    char folder[1024], path[1088];
    float *wave, *numbers;
    uint8_t *pixels;
    chl_params *params;
} bench;

/* --- one file of each kind -------------------------------------------------------------------- */
static chl_status write_sound(bench *b) {
    return chl_sound_write(b->path, b->wave, SAMPLES);
}
static chl_status read_sound(bench *b) {
    float *wave = NULL;
    int64_t samples = 0;
    CHL_TRY(chl_sound_load(b->path, &wave, &samples));
    free(wave);
    return samples == SAMPLES ? CHL_OK : chl_fail(CHL_ERR_INTERNAL, "the sound has another length");
}
static chl_status write_picture(bench *b) {
    return chl_raster_write_png(b->path, SIDE, SIDE, b->pixels);
}
static chl_status read_picture(bench *b) {
    chl_raster raster;
    CHL_TRY(chl_raster_read(b->path, &raster));
    const bool same = raster.height == SIDE && raster.width == SIDE;
    chl_raster_free(&raster);
    return same ? CHL_OK : chl_fail(CHL_ERR_INTERNAL, "the picture has another size");
}
static chl_status write_array(bench *b) {
    const chl_desc desc = chl_f32(1, NUMBERS);
    return chl_npy_write(b->path, &desc, b->numbers);
}
static chl_status read_array(bench *b) {
    chl_desc desc;
    void *data;
    CHL_TRY(chl_npy_read(b->path, &desc, &data));
    free(data);
    return chl_count(&desc) == NUMBERS ? CHL_OK
                                       : chl_fail(CHL_ERR_INTERNAL, "the array has another size");
}
static chl_status write_weights(bench *b) {
    return chl_weights_write_safetensors(b->params, b->path);
}
static chl_status read_weights(bench *b) {
    chl_params *params;
    CHL_TRY(chl_weights_read(b->path, &params));
    const bool same = params->count == b->params->count;
    chl_params_free(params);
    return same ? CHL_OK : chl_fail(CHL_ERR_INTERNAL, "the weights have another size");
}

static const struct {
    const char *name, *file, *about;
    int64_t bytes; /* of what is in it, decoded */
    chl_status (*run[2])(bench *b);
} kinds[] = {
    {"sound", "s.wav", "WAV, 10 s of 44.1 kHz", 4LL * SAMPLES, {write_sound, read_sound}},
    {"picture", "p.png", "PNG, 256 x 256", 3LL * SIDE *SIDE, {write_picture, read_picture}},
    {"array", "a.npy", ".npy, 32 MiB", 4LL * NUMBERS, {write_array, read_array}},
    {"weights",
     "w.safetensors",
     "safetensors, 32 MiB",
     4LL * NUMBERS,
     {write_weights, read_weights}},
};
static const char *const directions[] = {"write", "read"};

/* --- timing ----------------------------------------------------------------------------------- */
static void print(const bench *b, size_t kind, int direction, const kernel_spread *s) {
    const double rate = 1e-6 * (double)kinds[kind].bytes / s->median;
    printf(b->json
               ? "{\"kind\": \"%s\", \"direction\": \"%s\", \"about\": \"%s\", \"median\": %.9f, "
                 "\"quartiles\": [%.9f, %.9f], \"mb_per_s\": %.1f}\n"
               : "%-8s %-5s  %-22s %9.6f s  (%.6f - %.6f)  %8.1f MB/s\n",
           kinds[kind].name, directions[direction], kinds[kind].about, s->median, s->low, s->high,
           rate);
}

static chl_status time_kind(bench *b, size_t kind, double *seconds) {
    snprintf(b->path, sizeof b->path, "%s/%s", b->folder, kinds[kind].file);
    for (int direction = 0; direction < 2; direction++) {
        CHL_TRY(kinds[kind].run[direction](b)); /* once, to warm up */
        for (int i = 0; i < b->runs; i++) {
            const double begin = chl_seconds_now();
            CHL_TRY(kinds[kind].run[direction](b));
            seconds[i] = chl_seconds_now() - begin;
        }
        const kernel_spread spread = kernel_spread_of(seconds, b->runs);
        print(b, kind, direction, &spread);
    }
    unlink(b->path);
    return CHL_OK;
}

static chl_status make_contents(bench *b) {
    void *data;
    b->wave = malloc(SAMPLES * sizeof *b->wave);
    b->numbers = malloc(NUMBERS * sizeof *b->numbers);
    b->pixels = malloc(3 * SIDE * SIDE);
    if (!b->wave || !b->numbers || !b->pixels)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for the files' contents");
    for (int i = 0; i < SAMPLES; i++) b->wave[i] = 0.4f * sinf(0.02f * (float)i);
    for (int i = 0; i < NUMBERS; i++) b->numbers[i] = (float)(i % 8191) / 8191;
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        b->pixels[i] = (uint8_t)(127 + 100 * sin(0.002 * i) + i % 7);
    CHL_TRY(chl_params_new("bench", &b->params));
    CHL_TRY(chl_params_add(b->params, "w", chl_f32(1, NUMBERS), &data));
    memcpy(data, b->numbers, NUMBERS * sizeof *b->numbers);
    return CHL_OK;
}

static chl_status time_all(bench *b) {
    double *seconds = malloc((size_t)b->runs * sizeof *seconds);
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", b->runs);
    chl_status status = make_contents(b);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0] && status == CHL_OK; k++)
        status = time_kind(b, k, seconds);
    free(seconds);
    return status;
}

/* --- the command ------------------------------------------------------------------------------ */
static int usage(FILE *to) {
    fputs("usage: chladni-bench io [options]\n\n"
          "Times writing and reading a sound, a picture, an array and weights, one thread each.\n\n"
          "  --folder DIR   where the files are written and removed (/tmp)\n"
          "  --runs N       timed runs of each (9)\n"
          "  --json         a line of JSON each\n",
          to);
    return to == stdout ? 0 : 2;
}

int bench_io(int argc, char **argv) {
    static const struct option flags[] = {{"folder", 1, NULL, 'f'},
                                          {"runs", 1, NULL, 'r'},
                                          {"json", 0, NULL, 'j'},
                                          {"help", 0, NULL, 'h'},
                                          {0}};
    bench b = {.runs = 9};
    const char *folder = "/tmp";
    for (int flag; (flag = getopt_long(argc, argv, "h", flags, NULL)) != -1;) {
        if (flag == 'h') return usage(stdout);
        if (flag == 'f') folder = optarg;
        if (flag == 'r') b.runs = atoi(optarg);
        if (flag == 'j') b.json = true;
        if (flag == '?') return usage(stderr);
    }
    if (optind < argc || b.runs < 1 || b.runs > 10000) return usage(stderr);
    if (snprintf(b.folder, sizeof b.folder, "%s/chladni-bench-XXXXXX", folder) >=
            (int)sizeof b.folder ||
        !mkdtemp(b.folder)) {
        fprintf(stderr, "chladni-bench: no folder for files can be made in %s\n", folder);
        return 1;
    }
    const chl_status status = time_all(&b);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    if (status != CHL_OK) unlink(b.path);
    rmdir(b.folder);
    free(b.wave);
    free(b.numbers);
    free(b.pixels);
    chl_params_free(b.params);
    return status != CHL_OK;
}
