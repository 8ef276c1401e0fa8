/* chladni-bench loader: every sound of a list is decoded, brought to 44.1 kHz and made a mel picture of
 * 224 x 224, each by one thread; the twin of bench/peers/loader.py, in the protocol of --serve. Or the mel
 * pictures that a training with --cache-mels has kept are looked up, by one thread, as there. */
#include "loader.h"
#include "arguments.h"
#include "base/clock.h"
#include "io/npy.h"
#include "io/sound.h"
#include "kernel_timing.h"
#include "runtime/open.h"
#include "sound/mel.h"
#include "train/in_parallel.h"
#include "train/mel_store.h"
#include "train/sound_views.h"
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIXELS (CHL_MEL_SIDE * CHL_MEL_SIDE)
#define LINE 4096

typedef struct loader {
    char **path;
    int count, threads, runs;
    bool serve, json;
    bool warm;      /* the clock runs: all that is looked up is there */
    double step_ms; /* of a training, with `batch` clips; 0: none is asked for */
    int batch;
    const char *mels;     /* the folder of --cache-mels; NULL: sounds are decoded */
    chl_mel_store *store; /* opened for `mels` */
    float *picture;       /* [count][PIXELS], or one view with a store */
} loader;

static void usage(FILE *to) {
    fputs("usage: chladni-bench loader --list FILES.txt [options]\n\n"
          "Times sound files to mel pictures: clips a second, those of a core, bytes read.\n\n"
          "  --list F          sound files, one a line\n"
          "  --threads N       each file by one of them (all cores)\n"
          "  --runs N          timed passes over the list (5)\n"
          "  --cache-mels DIR  look mel pictures up there, as train --cache DIR --cache-mels does; "
          "those\n"
          "                    that are missing are added before the clock runs. One thread\n"
          "  --step-ms X       how many cores feed a GPU whose step takes X ms ...\n"
          "  --batch N         ... and N clips\n"
          "  --json            all figures as JSON\n"
          "  --serve           requests on stdin: run, dump FOLDER, about, quit\n",
          to);
}

/* --- one pass --------------------------------------------------------------------------------- */
static chl_status load(void *user, int i) {
    const loader *l = user;
    chl_sound *sound;
    CHL_TRY(chl_sound_open(l->path[i], &sound));
    const chl_wave_source source = {chl_sound_samples(sound), chl_sound_read, chl_sound_rewind,
                                    sound};
    const chl_mel_size size = {CHL_MEL_SIDE, CHL_MEL_SIDE};
    const chl_status status = chl_mel_picture_from(chl_device_cpu(), &source, CHL_MEL_COMPATIBLE,
                                                   size, l->picture + (int64_t)i * PIXELS);
    chl_sound_close(sound);
    return status;
}

/* A mel picture that is not kept yet. */
static chl_status compute(const char *path, float **mel, int64_t *frames) {
    chl_sound *sound;
    CHL_TRY(chl_sound_open(path, &sound));
    const chl_wave_source source = {chl_sound_samples(sound), chl_sound_read, chl_sound_rewind,
                                    sound};
    const chl_status status =
        chl_mel_whole_from(chl_device_cpu(), &source, CHL_MEL_ABSOLUTE, mel, frames);
    chl_sound_close(sound);
    return status;
}

static chl_status look_up(const loader *l) {
    const chl_view_settings settings = {.repeat = false};
    for (int i = 0; i < l->count; i++) {
        const chl_media media = {.path = l->path[i]};
        float *mel;
        int64_t frames;
        if (!chl_mel_store_find(l->store, &media, &mel, &frames)) {
            if (l->warm)
                return chl_fail(CHL_ERR_IO, "%s: the mel picture of %s is not kept there", l->mels,
                                l->path[i]);
            CHL_TRY(compute(l->path[i], &mel, &frames));
            chl_mel_store_add(l->store, &media, mel, frames);
        }
        chl_sound_views(&settings, 0, 0, i, mel, frames, l->picture, NULL);
        free(mel);
    }
    return CHL_OK;
}

static chl_status run(loader *l, double *seconds) {
    const double start = chl_seconds_now();
    CHL_TRY(l->store ? look_up(l) : chl_in_parallel(l->count, load, l));
    *seconds = chl_seconds_now() - start;
    return CHL_OK;
}

/* --- the list --------------------------------------------------------------------------------- */
static bool add_line(loader *l, const char *line) {
    char *copy = strdup(line);
    char **more = copy ? realloc(l->path, sizeof *more * (size_t)(l->count + 1)) : NULL;
    if (!more) {
        free(copy);
        return false;
    }
    l->path = more;
    l->path[l->count++] = copy;
    return true;
}

static bool read_list(const char *name, loader *l) {
    FILE *file = fopen(name, "r");
    char line[LINE];
    bool fine = file != NULL;
    while (fine && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (*line) fine = add_line(l, line);
    }
    if (file) fclose(file);
    return fine && l->count > 0;
}

static chl_status prepare(loader *l) {
    const size_t floats = l->mels ? CHL_VIEW_FLOATS : (size_t)l->count * PIXELS;
    if (l->mels) CHL_TRY(chl_mel_store_open(l->mels, &l->store));
    l->picture = calloc(floats, sizeof *l->picture);
    return l->picture ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for %d clips", l->count);
}

/* --- answers ---------------------------------------------------------------------------------- */
static chl_status dump(const loader *l, const char *folder) {
    char path[LINE + 16];
    const chl_desc desc = chl_f32(3, l->count, CHL_MEL_SIDE, CHL_MEL_SIDE);
    snprintf(path, sizeof path, "%s/sounds.npy", folder);
    CHL_TRY(chl_npy_write(path, &desc, l->picture));
    printf("sounds\n");
    return CHL_OK;
}

static chl_status serve(loader *l) {
    char line[LINE];
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        double seconds;
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "quit") == 0) break;
        if (strcmp(line, "run") == 0) {
            CHL_TRY(run(l, &seconds));
            printf("%.9f\n", seconds);
        } else if (strncmp(line, "dump ", 5) == 0) {
            CHL_TRY(dump(l, line + 5));
        } else if (strcmp(line, "about") == 0) {
            printf("{\"workload\": \"loader\", \"version\": \"%s\", \"files\": %d, \"threads\": "
                   "%d}\n",
                   CHLADNI_VERSION, l->count, l->threads);
        } else {
            printf("error unknown request\n");
        }
        fflush(stdout);
    }
    return CHL_OK;
}

/* --- figures ---------------------------------------------------------------------------------- */
typedef struct figures {
    kernel_spread seconds, processor; /* of a pass: of the clock, and of all threads together */
    int64_t bytes; /* that a pass reads from files; < 0: the system does not say */
} figures;

static double processor_seconds(void) {
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

/* What this process has read until now, this question left out; -1: the system does not say. */
static int64_t bytes_read(int64_t *questions) {
    char text[256];
    int64_t count = -1;
    const int file = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    const ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (length < 0) return -1;
    text[length] = 0;
    if (sscanf(text, "rchar: %" SCNd64, &count) != 1) return -1;
    count -= *questions;
    *questions += length;
    return count;
}

static chl_status time_passes(loader *l, double *seconds, double *processor, figures *out) {
    int64_t questions = 0;
    CHL_TRY(run(l, seconds)); /* once, to warm up, and to keep what is missing */
    l->warm = true;
    const int64_t before = bytes_read(&questions);
    for (int i = 0; i < l->runs; i++) {
        const double begin = processor_seconds();
        CHL_TRY(run(l, &seconds[i]));
        processor[i] = processor_seconds() - begin;
    }
    const int64_t after = bytes_read(&questions);
    out->bytes = before < 0 || after < 0 ? -1 : (after - before) / l->runs;
    out->seconds = kernel_spread_of(seconds, l->runs);
    out->processor = kernel_spread_of(processor, l->runs);
    return CHL_OK;
}

static void print_json(const loader *l, const figures *f) {
    printf(
        "{\"workload\": \"loader\", \"source\": \"%s\", \"files\": %d, \"threads\": %d, \"runs\": "
        "%d, \"median\": %.9f, \"quartiles\": [%.9f, %.9f], \"processor_median\": %.9f, "
        "\"clips_per_s\": %.3f, \"clips_per_s_core\": %.3f, ",
        l->mels ? "cached mels" : "files", l->count, l->threads, l->runs, f->seconds.median,
        f->seconds.low, f->seconds.high, f->processor.median, l->count / f->seconds.median,
        l->count / f->processor.median);
    if (f->bytes < 0)
        printf("\"bytes_per_clip\": null");
    else
        printf("\"bytes_per_clip\": %.0f", (double)f->bytes / l->count);
    if (l->batch) {
        const double rate = 1e3 * l->batch / l->step_ms;
        printf(", \"step\": {\"ms\": %g, \"batch\": %d, \"clips_per_s\": %.1f, \"cores\": %.0f}",
               l->step_ms, l->batch, rate, ceil(rate * f->processor.median / l->count));
    }
    printf("}\n");
}

static void print_text(const loader *l, const figures *f) {
    printf("%d files, %d threads%s: %.3f s (%.3f - %.3f), %.1f clips a second, %.1f of a core\n",
           l->count, l->threads, l->mels ? ", cached mels" : "", f->seconds.median, f->seconds.low,
           f->seconds.high, l->count / f->seconds.median, l->count / f->processor.median);
    if (f->bytes < 0)
        printf("bytes read: the system does not say\n");
    else
        printf("bytes read: %.0f a clip\n", (double)f->bytes / l->count);
    if (!l->batch) return;
    const double rate = 1e3 * l->batch / l->step_ms;
    printf("a step of %d clips in %g ms takes %.0f clips a second; cores that feed the GPU: %.0f\n",
           l->batch, l->step_ms, rate, ceil(rate * f->processor.median / l->count));
}

static chl_status time_alone(loader *l) {
    double *seconds = malloc(2 * (size_t)l->runs * sizeof *seconds);
    figures f;
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", l->runs);
    const chl_status status = time_passes(l, seconds, seconds + l->runs, &f);
    free(seconds);
    if (status != CHL_OK) return status;
    if (l->json)
        print_json(l, &f);
    else
        print_text(l, &f);
    return CHL_OK;
}

/* --- the command ------------------------------------------------------------------------------ */
static double read_ms(const char *text) {
    char *end;
    const double value = strtod(text, &end);
    if (*text && !*end && value > 0 && value <= 1e6) return value;
    fprintf(stderr,
            "chladni-bench: --step-ms must be a number above 0, up to 1000000, got \"%s\"\n", text);
    exit(2);
}

static int misused(const char *what) {
    fprintf(stderr, "chladni-bench loader: %s\n", what);
    return 2;
}

/* 0, or the exit code of flags that do not go together. */
static int check(const loader *l, bool threads) {
    if ((l->step_ms > 0) != (l->batch > 0))
        return misused("--step-ms and --batch say together what a step takes, got one of them");
    if (l->serve && (l->step_ms > 0 || l->json || l->mels))
        return misused("--serve answers requests, without --step-ms, --json and --cache-mels");
    if (l->mels && threads)
        return misused("--cache-mels looks up by one thread, without --threads");
    return 0;
}

static int measure(loader *l) {
    omp_set_num_threads(l->threads);
    chl_status status = prepare(l);
    if (status == CHL_OK) status = l->serve ? serve(l) : time_alone(l);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    chl_mel_store_close(l->store);
    free(l->picture);
    return status == CHL_OK ? 0 : 1;
}

static const struct option flags[] = {{"list", 1, NULL, 'l'},
                                      {"threads", 1, NULL, 't'},
                                      {"runs", 1, NULL, 'r'},
                                      {"serve", 0, NULL, 's'},
                                      {"cache-mels", 1, NULL, 'c'},
                                      {"step-ms", 1, NULL, 'm'},
                                      {"batch", 1, NULL, 'b'},
                                      {"json", 0, NULL, 'j'},
                                      {"device", 1, NULL, 'd'},
                                      {"help", 0, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

int bench_loader(int argc, char **argv) {
    loader l = {.runs = 5};
    const char *list = NULL;
    for (int flag; (flag = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        if (flag == 'l') list = optarg;
        if (flag == 't') l.threads = (int)bench_number(optarg, "threads", 1, 4096);
        if (flag == 'r') l.runs = (int)bench_number(optarg, "runs", 1, 10000);
        if (flag == 's') l.serve = true;
        if (flag == 'c') l.mels = optarg;
        if (flag == 'm') l.step_ms = read_ms(optarg);
        if (flag == 'b') l.batch = (int)bench_number(optarg, "batch", 1, BENCH_MOST);
        if (flag == 'j') l.json = true;
        if (flag == 'h') bench_helped(usage);
        if (flag == '?') bench_misused(usage);
    }
    if (optind < argc) bench_misused(usage);
    int code = check(&l, l.threads > 0);
    if (code != 0) return code;
    if (l.threads == 0) l.threads = l.mels ? 1 : omp_get_num_procs();
    if (list && read_list(list, &l))
        code = measure(&l);
    else
        code = misused("--list must name a file with a sound file a line");
    for (int i = 0; i < l.count; i++) free(l.path[i]);
    free(l.path);
    return code;
}
