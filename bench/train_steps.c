/* chladni-bench train MODEL: seconds of a training's whole steps - batches, copies, forward and
 * backward pass, updates, log - on a folder of the demo's world, as `chladni train` runs them. */
#include "train_steps.h"
#include "arguments.h"
#include "base/json.h"
#include "base/status.h"
#include "processes.h"
#include "runtime/open.h"
#include <chladni/demo.h>
#include <chladni/train.h>
#include <dirent.h>
#include <getopt.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 512
#define SAMPLES 40 /* at least: several of each kind */
#define DEVICE_ROOM 128
#define WARM 3 /* steps that do not count: decoding, first use of libraries, recording */

typedef struct training {
    const char *model, *device, *sizes;
    int batch, runs, threads, ahead;
    int ranks;
    bool half, json, weak;
    char folder[64]; /* temporary: data, runs */
    double *seconds; /* [WARM + runs] of the steps, then as many of ranks that exchange nothing */
    char meeting[32], gpu[32];
    double before; /* when the step before ended */
    int done;
} training;

static void usage(FILE *to) {
    fprintf(to, "usage: chladni-bench train (audio | clip | generator | judge) [options]\n\n"
                "Times whole steps on a folder of the demo's world that it writes and removes.\n\n"
                "  --batch N      samples per step (the training's default)\n"
                "  --sizes K=N    of the network, as in `chladni train`\n"
                "  --device NAME  cpu, cuda, cuda:N or auto: a GPU where there is one (auto;\n"
                "                 with --ranks cpu)\n"
                "  --bf16         activations in bf16, on a GPU\n"
                "  --ahead N      batches made ahead (1 on a GPU, 0 on the CPU)\n"
                "  --threads N    of the CPU, of all ranks together (all cores)\n"
                "  --ranks N      so many processes share each step (1); also times as many that\n"
                "                 exchange nothing, each with its part of the batch\n"
                "  --weak         --batch is of each rank, not of all together\n"
                "  --runs N       timed steps (20)\n"
                "  --json         one line of JSON on stdout instead of text\n");
}

static void parse(int argc, char **argv, training *t) {
    enum { BATCH = 256, SIZES, DEVICE, HALF, AHEAD, THREADS, RANKS, WEAK, RUNS, JSON, HELP };
    static const struct option flags[] = {
        {"ranks", 1, NULL, RANKS}, {"weak", 0, NULL, WEAK},       {"batch", 1, NULL, BATCH},
        {"sizes", 1, NULL, SIZES}, {"device", 1, NULL, DEVICE},   {"bf16", 0, NULL, HALF},
        {"ahead", 1, NULL, AHEAD}, {"threads", 1, NULL, THREADS}, {"runs", 1, NULL, RUNS},
        {"json", 0, NULL, JSON},   {"help", 0, NULL, HELP},       {0}};
    *t = (training){.runs = 20, .ranks = 1, .threads = omp_get_num_procs()};
    for (int c, index = 0; (c = getopt_long(argc, argv, "", flags, &index)) != -1;) switch (c) {
        case BATCH:
            t->batch = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case SIZES:
            t->sizes = optarg;
            break;
        case DEVICE:
            t->device = optarg;
            break;
        case HALF:
            t->half = true;
            break;
        case AHEAD:
            t->ahead = (int)bench_number(optarg, flags[index].name, 0, BENCH_MOST);
            break;
        case THREADS:
            t->threads = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case RANKS:
            t->ranks = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case WEAK:
            t->weak = true;
            break;
        case RUNS:
            t->runs = (int)bench_number(optarg, flags[index].name, 1, BENCH_MOST);
            break;
        case JSON:
            t->json = true;
            break;
        case HELP:
            bench_helped(usage);
        default:
            bench_misused(usage);
        }
    if (optind + 1 != argc) bench_misused(usage);
    if (t->ranks > BENCH_MAX_RANKS) {
        fprintf(stderr, "chladni-bench: --ranks must be at most %d, got %d\n", BENCH_MAX_RANKS,
                t->ranks);
        exit(2);
    }
    t->model = argv[optind];
}

/* --- the folder ------------------------------------------------------------------------------- */
static const char *inside(const training *t, const char *name, char *path) {
    snprintf(path, PATH_ROOM, "%s/%s", t->folder, name);
    return path;
}

static void remove_all(const char *path) {
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char inner[PATH_ROOM];
        struct stat about;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner)
            continue;
        if (lstat(inner, &about) == 0 && S_ISDIR(about.st_mode))
            remove_all(inner);
        else
            unlink(inner);
    }
    if (folder) closedir(folder);
    rmdir(path);
}

static chl_status write_data(const training *t, int samples) {
    char path[PATH_ROOM];
    chl_world_options world = chl_world_defaults();
    world.out = inside(t, "data", path);
    world.count = samples;
    return chl_world_write(&world);
}

/* A CLIP pair for the sounds to be trained towards: one step of its own training. */
static chl_status make_clip(const training *t) {
    char data[PATH_ROOM], out[PATH_ROOM];
    chl_train_options options = {.size = sizeof options};
    CHL_TRY(chl_train_defaults("clip", &options));
    options.data = inside(t, "data", data);
    options.out = inside(t, "clip", out);
    options.sizes = "resolution=32,width=64,layers=1,text_width=64,text_layers=1";
    options.steps = 1;
    options.batch = 2;
    options.device = "cpu";
    return chl_train(&options);
}

/* --- the steps -------------------------------------------------------------------------------- */
static int note_step(void *user, const chl_train_progress *progress) {
    training *t = user;
    t->seconds[t->done++] = progress->seconds - t->before;
    t->before = progress->seconds;
    return 0;
}

static bool needs_clip(const training *t) {
    return strcmp(t->model, "audio") == 0;
}

/* `folder`: of the run, inside t->folder. */
static chl_status run_steps(training *t, chl_train_options *options, const char *folder) {
    char data[PATH_ROOM], out[PATH_ROOM], clip[PATH_ROOM], vocab[PATH_ROOM];
    options->data = inside(t, "data", data);
    options->out = inside(t, folder, out);
    options->steps = WARM + t->runs;
    options->save_every = 0;
    options->sizes = t->sizes;
    options->device = t->device;
    options->precision = t->half ? CHL_PRECISION_BF16 : CHL_PRECISION_FLOAT32;
    options->ahead = t->ahead;
    options->progress = note_step;
    options->user = t;
    if (needs_clip(t)) {
        options->clip = inside(t, "clip/model.safetensors", clip);
        options->vocab = inside(t, "clip/merges.txt", vocab);
    }
    return chl_train(options);
}

/* --- the report ------------------------------------------------------------------------------- */
static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What the run says that it computed on; "cpu" where it says nothing. */
static chl_status read_device(const training *t, char device[DEVICE_ROOM]) {
    char path[PATH_ROOM];
    json_t *options;
    CHL_TRY(chl_json_read_file(inside(t, "run/options.json", path), 1 << 20, &options, NULL));
    const json_t *said = json_object_get(json_object_get(options, "machine"), "device");
    snprintf(device, DEVICE_ROOM, "%s", json_is_string(said) ? json_string_value(said) : "cpu");
    json_decref(options);
    return CHL_OK;
}

/* Sum over the timed steps of a number in stats.jsonl, NAN where one has none; `group` may be
 * NULL. */
static chl_status read_sum(const training *t, const char *group, const char *key, double *sum) {
    char path[PATH_ROOM], line[4096];
    chl_status status = CHL_OK;
    *sum = 0;
    FILE *stats = fopen(inside(t, "run/stats.jsonl", path), "r");
    for (int i = 0; status == CHL_OK && stats && fgets(line, sizeof line, stats); i++) {
        json_t *step;
        status = chl_json_read(line, strlen(line), 0, path, &step, NULL);
        if (status != CHL_OK) break;
        const json_t *place = group ? json_object_get(step, group) : step;
        const json_t *value = json_object_get(place, key);
        if (i >= WARM) *sum += json_is_number(value) ? json_number_value(value) : NAN;
        json_decref(step);
    }
    if (stats) fclose(stats);
    return status;
}

static chl_status report(training *t, const chl_train_options *options) {
    const int n = t->runs;
    double *sorted = t->seconds + WARM, total = 0, waited;
    char device[DEVICE_ROOM];
    for (int i = 0; i < n; i++) total += sorted[i];
    CHL_TRY(read_sum(t, NULL, "waited", &waited));
    CHL_TRY(read_device(t, device));
    waited /= total;
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    const double median = 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
    const char *precision = t->half ? "bf16" : "float";
    if (t->json)
        printf("{\"workload\": \"train %s\", \"device\": \"%s\", \"precision\": \"%s\", \"batch\": "
               "%d, \"threads\": %d, \"median\": %.9f, \"quartiles\": [%.9f, %.9f], \"waited\": "
               "%.4f}\n",
               t->model, device, precision, options->batch, t->threads, median, sorted[n / 4],
               sorted[n - 1 - n / 4], waited);
    else
        printf("train %s on %s in %s, batch %d, %d threads: a step: median %.1f ms, quartiles %.1f "
               "- %.1f, %.0f samples/s, %.1f %% of the time waiting for data\n",
               t->model, device, precision, options->batch, t->threads, 1e3 * median,
               1e3 * sorted[n / 4], 1e3 * sorted[n - 1 - n / 4], options->batch / median,
               100 * waited);
    return CHL_OK;
}

/* --- several ranks ---------------------------------------------------------------------------- */
static double median_of(double *seconds, int n) {
    qsort(seconds, (size_t)n, sizeof *seconds, ascending);
    return 0.5 * (seconds[(n - 1) / 2] + seconds[n / 2]);
}

static chl_status report_ranks(training *t, int batch) {
    const int n = t->runs;
    const double median = median_of(t->seconds + WARM, n);
    const double apart = median_of(t->seconds + 2 * WARM + n, n);
    char part[32] = "null", known[32] = "not known how much"; /* by NCCL */
    char device[DEVICE_ROOM];
    double share;
    CHL_TRY(read_sum(t, "measured", "communication_share", &share));
    CHL_TRY(read_device(t, device));
    share /= n;
    if (!isnan(share)) {
        snprintf(part, sizeof part, "%.4f", share);
        snprintf(known, sizeof known, "%.1f %%", 100 * share);
    }
    if (t->json)
        printf("{\"workload\": \"train %s\", \"device\": \"%s\", \"ranks\": %d, \"batch\": %d, "
               "\"threads\": %d, \"median\": %.9f, \"without_communication\": %.9f, "
               "\"communication_share\": %s}\n",
               t->model, device, t->ranks, batch, t->threads, median, apart, part);
    else
        printf("train %s on %s, %d ranks, batch %d, %d threads: a step: median %.1f ms, without "
               "communication %.1f; %.0f samples/s, %s of the time in communication\n",
               t->model, device, t->ranks, batch, t->threads, 1e3 * median, 1e3 * apart,
               batch / median, known);
    return CHL_OK;
}

static int to_exit_code(chl_status status) {
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    return status != CHL_OK;
}

/* Where only times are asked for, an emulated device has no answer. */
static chl_status refuse_emulated(const char *name) {
    const char *why;
    chl_device *device = chl_device_open(name, &why);
    if (!device) return chl_fail(CHL_ERR_UNSUPPORTED, "%s", why);
    const bool emulated = device->backend->emulated;
    chl_status status = CHL_OK;
    if (emulated)
        status =
            chl_fail(CHL_ERR_UNSUPPORTED, "%s is emulated: its times say nothing", device->name);
    chl_device_close(device);
    return status;
}

static chl_status begin_rank(training *t, chl_train_options *options) {
    const int threads = t->threads / t->ranks;
    omp_set_num_threads(threads > 0 ? threads : 1);
    *options = (chl_train_options){.size = sizeof *options};
    CHL_TRY(refuse_emulated(t->device));
    CHL_TRY(chl_demo_register());
    CHL_TRY(chl_train_defaults(t->model, options));
    if (t->batch) options->batch = t->batch;
    if (t->weak) options->batch *= t->ranks;
    return CHL_OK;
}

static chl_status prepare(training *t) {
    chl_train_options options;
    CHL_TRY(begin_rank(t, &options));
    CHL_TRY(write_data(t, options.batch < SAMPLES ? SAMPLES : options.batch));
    return needs_clip(t) ? make_clip(t) : CHL_OK;
}
static int prepare_rank(void *user, int rank) {
    (void)rank;
    return to_exit_code(prepare(user));
}

/* The seconds are rank 0's. */
static chl_status train_together(training *t, int rank) {
    chl_train_options options;
    double *ignored = calloc((size_t)(WARM + t->runs), sizeof *ignored);
    if (!ignored) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", t->runs);
    chl_status status = begin_rank(t, &options);
    options.ranks = t->ranks;
    options.rank = rank;
    options.meeting = t->meeting;
    if (rank > 0) t->seconds = ignored;
    if (status == CHL_OK) status = run_steps(t, &options, "run");
    free(ignored);
    return status;
}
static void choose_gpu(training *t, int rank) {
    if (strcmp(t->device, "cuda") != 0) return;
    snprintf(t->gpu, sizeof t->gpu, "cuda:%d", rank);
    t->device = t->gpu;
}
static int together_rank(void *user, int rank) {
    training t = *(training *)user;
    choose_gpu(&t, rank);
    return to_exit_code(train_together(&t, rank));
}

static chl_status train_apart(training *t, int rank) {
    chl_train_options options;
    char folder[32];
    double *ignored = calloc((size_t)(WARM + t->runs), sizeof *ignored);
    if (!ignored) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", t->runs);
    snprintf(folder, sizeof folder, "apart-%d", rank);
    chl_status status = begin_rank(t, &options);
    options.batch /= t->ranks;
    t->seconds = rank == 0 ? t->seconds + WARM + t->runs : ignored;
    if (status == CHL_OK) status = run_steps(t, &options, folder);
    free(ignored);
    return status;
}
static int apart_rank(void *user, int rank) {
    training t = *(training *)user;
    choose_gpu(&t, rank);
    return to_exit_code(train_apart(&t, rank));
}

/* Processes that compute are forked from one that has not: OpenMP's threads do not survive it. */
static int measure_ranks(training *t) {
    int file;
    chl_train_options options = {.size = sizeof options};
    if (chl_demo_register() != CHL_OK || chl_train_defaults(t->model, &options) != CHL_OK)
        return to_exit_code(CHL_ERR_ARGUMENT);
    if (!t->device) t->device = "cpu";
    const int batch = (t->batch ? t->batch : options.batch) * (t->weak ? t->ranks : 1);
    const size_t bytes = 2 * (size_t)(WARM + t->runs) * sizeof(double);
    void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !bench_meeting(t->meeting, &file)) return 1;
    t->seconds = shared;
    int failed = bench_run_ranks(1, prepare_rank, t) ||
                 bench_run_ranks(t->ranks, together_rank, t) ||
                 bench_run_ranks(t->ranks, apart_rank, t);
    if (!failed) failed = to_exit_code(report_ranks(t, batch));
    munmap(shared, bytes);
    t->seconds = NULL;
    close(file);
    return failed;
}

/* --- one process ------------------------------------------------------------------------------ */
static chl_status measure(training *t) {
    chl_train_options options = {.size = sizeof options};
    omp_set_num_threads(t->threads);
    CHL_TRY(refuse_emulated(t->device));
    CHL_TRY(chl_demo_register());
    CHL_TRY(chl_train_defaults(t->model, &options));
    if (t->batch) options.batch = t->batch;
    t->seconds = calloc((size_t)(WARM + t->runs), sizeof *t->seconds);
    if (!t->seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", t->runs);
    CHL_TRY(write_data(t, options.batch < SAMPLES ? SAMPLES : options.batch));
    if (needs_clip(t)) CHL_TRY(make_clip(t));
    CHL_TRY(run_steps(t, &options, "run"));
    return report(t, &options);
}

int bench_train(int argc, char **argv) {
    training t;
    parse(argc, argv, &t);
    snprintf(t.folder, sizeof t.folder, "/tmp/chladni-bench-XXXXXX");
    if (!mkdtemp(t.folder)) {
        perror("chladni-bench: /tmp");
        return 1;
    }
    const int code = t.ranks > 1 ? measure_ranks(&t) : to_exit_code(measure(&t));
    remove_all(t.folder);
    free(t.seconds);
    return code;
}
