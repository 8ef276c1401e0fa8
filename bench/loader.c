/* chladni-bench loader: every sound of a list is decoded, brought to 44.1 kHz and made a mel picture of
 * 224 x 224, each by one thread; the twin of bench/peers/loader.py, in the protocol of --serve. */
#include "loader.h"
#include "base/clock.h"
#include "io/npy.h"
#include "io/sound.h"
#include "runtime/open.h"
#include "sound/mel.h"
#include "train/in_parallel.h"
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIXELS (CHL_MEL_SIDE * CHL_MEL_SIDE)
#define LINE 4096

typedef struct loader {
    char **path;
    int count, threads, runs;
    bool serve;
    float *picture; /* [count][PIXELS] */
} loader;

static void usage(FILE *to) {
    fprintf(to, "usage: chladni-bench loader --list FILES.txt [--threads N] [--runs N] [--serve]\n"
                "  --list F     sound files, one a line\n"
                "  --threads N  each file by one of them (all cores)\n"
                "  --runs N     timed passes over the list (5)\n"
                "  --serve      requests on stdin: run, dump FOLDER, about, quit\n");
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

static chl_status run(loader *l, double *seconds) {
    const double start = chl_seconds_now();
    CHL_TRY(chl_in_parallel(l->count, load, l));
    *seconds = chl_seconds_now() - start;
    return CHL_OK;
}

/* --- the list --------------------------------------------------------------------------------- */
static bool read_list(const char *name, loader *l) {
    FILE *file = fopen(name, "r");
    char line[LINE];
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char **more = realloc(l->path, sizeof *more * (size_t)(l->count + 1));
        if (!more) break;
        l->path = more;
        if (!(more[l->count] = strdup(line))) break;
        l->count += *line != 0;
    }
    if (file) fclose(file);
    l->picture = l->count ? calloc((size_t)l->count * PIXELS, sizeof *l->picture) : NULL;
    return l->picture != NULL;
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

static chl_status time_alone(loader *l) {
    double seconds;
    CHL_TRY(run(l, &seconds));
    for (int i = 0; i < l->runs; i++) {
        CHL_TRY(run(l, &seconds));
        printf("%d files, %d threads: %.3f s, %.1f files a second and thread\n", l->count,
               l->threads, seconds, l->count / seconds / l->threads);
    }
    return CHL_OK;
}

int bench_loader(int argc, char **argv) {
    static const struct option flags[] = {{"list", 1, NULL, 'l'},   {"threads", 1, NULL, 't'},
                                          {"runs", 1, NULL, 'r'},   {"serve", 0, NULL, 's'},
                                          {"device", 1, NULL, 'd'}, {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    loader l = {.threads = omp_get_num_procs(), .runs = 5};
    const char *list = NULL;
    for (int flag; (flag = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        if (flag == 'l') list = optarg;
        if (flag == 't') l.threads = atoi(optarg);
        if (flag == 'r') l.runs = atoi(optarg);
        if (flag == 's') l.serve = true;
        if (flag == 'h' || flag == '?') {
            usage(flag == 'h' ? stdout : stderr);
            return flag == 'h' ? 0 : 2;
        }
    }
    if (!list || l.threads < 1 || l.runs < 1 || !read_list(list, &l)) {
        fprintf(stderr, "chladni-bench loader: --list must name a file with a sound file a line, "
                        "--threads and --runs must be >= 1\n");
        return 2;
    }
    omp_set_num_threads(l.threads);
    const chl_status status = l.serve ? serve(&l) : time_alone(&l);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    for (int i = 0; i < l.count; i++) free(l.path[i]);
    free(l.path);
    free(l.picture);
    return status == CHL_OK ? 0 : 1;
}
