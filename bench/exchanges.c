/* chladni-bench collectives: seconds, algorithm and bus bandwidth of the collectives over sizes, as
 * nccl-tests defines them (doc/PERFORMANCE.md there):
 *
 *     size        bytes of the whole array: what all_gather makes, what reduce_scatter and
 *                 all_reduce take
 *     algbw       size / seconds
 *     busbw       algbw * (n - 1) / n, of all_reduce twice that: what a link between two of n ranks
 *                 must carry at least, so that it can be compared with the hardware's rate
 *
 * Every result is compared with exact sums before anything is timed. */
#include "exchanges.h"
#include "arguments.h"
#include "base/clock.h"
#include "processes.h"
#include "runtime/comm.h"
#include "runtime/open.h"
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM 3
#define STEP 4 /* from one size to the next */

typedef enum operation { ALL_GATHER, ALL_REDUCE, REDUCE_SCATTER, OPERATIONS } operation;
static const char *const names[OPERATIONS] = {"all_gather", "all_reduce", "reduce_scatter"};

typedef struct bench {
    int ranks, runs;
    size_t min, max; /* bytes */
    const char *device_name;
    bool json;
    char meeting[32];
    /* of a rank */
    int rank;
    chl_device *device;
    chl_comm *comm;
    float *from, *to; /* on the device, [max] bytes each */
    float *host;      /* [max] bytes */
} bench;

/* --- one collective --------------------------------------------------------------------------- */
static size_t share(const bench *b, size_t bytes) {
    return bytes / sizeof(float) / (size_t)b->ranks; /* numbers of one rank's part */
}

static bool call(const bench *b, operation what, size_t bytes) {
    const chl_comm_kind *kind = b->comm->kind;
    const size_t part = share(b, bytes), all = part * (size_t)b->ranks;
    void *stream = b->device->queue;
    switch (what) {
    case ALL_GATHER:
        return kind->all_gather(b->comm, b->from, b->to, part * sizeof(float), stream) ==
               CHL_KERNEL_OK;
    case ALL_REDUCE:
        return kind->all_reduce(b->comm, b->from, b->to, all, stream) == CHL_KERNEL_OK;
    case REDUCE_SCATTER:
        return kind->reduce_scatter(b->comm, b->from, b->to, part, stream) == CHL_KERNEL_OK;
    default:
        return false;
    }
}

static bool finish(const bench *b) {
    return b->device->backend->queue_synchronise(b->device, b->device->queue) == CHL_OK;
}

/* Whole numbers whose sums are exact: rank r has (r + 1) * (i % 7 + 1) at place i. */
static float given(int rank, size_t i) {
    return (float)((rank + 1) * (int)(i % 7 + 1));
}

static float expected(const bench *b, operation what, size_t part, size_t i) {
    const int sum = b->ranks * (b->ranks + 1) / 2;
    if (what == ALL_GATHER) return given((int)(i / part), i % part);
    const size_t place = what == ALL_REDUCE ? i : (size_t)b->rank * part + i;
    return (float)(sum * (int)(place % 7 + 1));
}

static bool is_right(const bench *b, operation what, size_t bytes) {
    const size_t part = share(b, bytes), all = part * (size_t)b->ranks;
    const size_t wanted = what == REDUCE_SCATTER ? part : all;
    const chl_backend *backend = b->device->backend;
    for (size_t i = 0; i < all; i++) b->host[i] = given(b->rank, i);
    if (backend->upload(b->device, b->from, b->host, all * sizeof(float)) != CHL_OK ||
        backend->clear(b->device, b->to, all * sizeof(float)) != CHL_OK || !call(b, what, bytes) ||
        !finish(b) ||
        backend->download(b->device, b->host, b->to, wanted * sizeof(float)) != CHL_OK)
        return false;
    for (size_t i = 0; i < wanted; i++)
        if (b->host[i] != expected(b, what, part, i)) {
            fprintf(stderr, "chladni-bench: %s of %zu bytes: number %zu of rank %d is wrong\n",
                    names[what], bytes, i, b->rank);
            return false;
        }
    return true;
}

/* Seconds of a call, the mean over the ranks; < 0: it failed. */
static double measure(const bench *b, operation what, size_t bytes) {
    double all[BENCH_MAX_RANKS], sum = 0;
    chl_comm *host = chl_comm_host(b->comm);
    for (int i = 0; i < WARM; i++)
        if (!call(b, what, bytes)) return -1;
    if (!finish(b) || host->kind->barrier(host) != CHL_KERNEL_OK) return -1;
    const double begin = chl_seconds_now();
    for (int i = 0; i < b->runs; i++)
        if (!call(b, what, bytes)) return -1;
    if (!finish(b)) return -1;
    const double own = (chl_seconds_now() - begin) / b->runs;
    if (host->kind->all_gather(host, &own, all, sizeof own, NULL) != CHL_KERNEL_OK) return -1;
    for (int r = 0; r < b->ranks; r++) sum += all[r];
    return sum / b->ranks;
}

static void print(const bench *b, operation what, size_t bytes, double seconds) {
    const double n = b->ranks, algorithm = (double)bytes / seconds;
    const double bus = algorithm * (n - 1) / n * (what == ALL_REDUCE ? 2 : 1);
    if (b->json)
        printf("{\"collective\": \"%s\", \"kind\": \"%s\", \"ranks\": %d, \"bytes\": %zu, "
               "\"seconds\": %.9f, \"algbw_gb\": %.4f, \"busbw_gb\": %.4f}\n",
               names[what], b->comm->kind->name, b->ranks, bytes, seconds, 1e-9 * algorithm,
               1e-9 * bus);
    else
        printf("%-14s %12zu %12.1f %10.3f %10.3f\n", names[what], bytes, 1e6 * seconds,
               1e-9 * algorithm, 1e-9 * bus);
    fflush(stdout);
}

static bool run_sizes(const bench *b) {
    if (b->rank == 0 && !b->json)
        printf("%d ranks, %s, %s\n%-14s %12s %12s %10s %10s\n", b->ranks, b->comm->kind->name,
               b->device->name, "collective", "bytes", "us", "algbw GB/s", "busbw GB/s");
    for (operation what = 0; what < OPERATIONS; what++)
        for (size_t size = b->min; size <= b->max; size *= STEP) {
            const size_t bytes = share(b, size) * (size_t)b->ranks * sizeof(float);
            const double seconds = is_right(b, what, bytes) ? measure(b, what, bytes) : -1;
            if (seconds < 0) return false;
            if (b->rank == 0) print(b, what, bytes, seconds);
        }
    return true;
}

/* --- a rank ----------------------------------------------------------------------------------- */
static bool open_rank(bench *b, const char **why) {
    char name[32];
    snprintf(name, sizeof name, strcmp(b->device_name, "cuda") ? "%s" : "%s:%d", b->device_name,
             b->rank);
    if (!(b->device = chl_device_open(name, why))) return false;
    if (b->device->backend->emulated) {
        *why = "the device is emulated: its times say nothing";
        return false;
    }
    chl_device_bind(b->device);
    const chl_comm_place place = {.rank = b->rank,
                                  .ranks = b->ranks,
                                  .meeting = b->meeting,
                                  .on_gpu = !b->device->backend->host_memory,
                                  .device = b->device};
    return (b->comm = chl_comm_open(&place, why)) != NULL;
}

static int run_rank(void *user, int rank) {
    bench b = *(bench *)user;
    const char *why = "out of memory";
    b.rank = rank;
    bool good = open_rank(&b, &why);
    if (good) {
        const chl_backend *backend = b.device->backend;
        why = "out of memory for the arrays"; /* opening has set it to nothing */
        b.host = malloc(b.max);
        good = b.host && backend->allocate(b.device, b.max, (void **)&b.from) == CHL_OK &&
               backend->allocate(b.device, b.max, (void **)&b.to) == CHL_OK;
    }
    if (good && !run_sizes(&b)) {
        const chl_device joined = chl_device_with(b.device, b.comm);
        why = chl_device_error((chl_device *)&joined);
        good = false;
    }
    if (!good) fprintf(stderr, "chladni-bench: rank %d: %s\n", rank, why);
    if (b.device) {
        b.device->backend->release(b.device, b.from);
        b.device->backend->release(b.device, b.to);
    }
    free(b.host);
    if (b.comm) b.comm->kind->close(b.comm);
    chl_device_close(b.device);
    return !good;
}

/* --- arguments -------------------------------------------------------------------------------- */
static void usage(FILE *to) {
    fprintf(to,
            "usage: chladni-bench collectives [options]\n\n"
            "Times all_gather, all_reduce and reduce_scatter between processes of this machine;\n"
            "algorithm and bus bandwidth as nccl-tests defines them.\n\n"
            "  --ranks N      processes (2)\n"
            "  --min BYTES    smallest array (1024)\n"
            "  --max BYTES    largest array (67108864); each is 4 times the one before\n"
            "  --device NAME  cpu, or cuda: a GPU per rank, by NCCL (cpu)\n"
            "  --runs N       timed calls of each (20)\n"
            "  --json         a line of JSON for each on stdout instead of text\n");
}

static void parse(int argc, char **argv, bench *b) {
    enum { RANKS = 256, MIN, MAX, DEVICE, RUNS, JSON, HELP };
    static const struct option flags[] = {{"ranks", 1, NULL, RANKS}, {"min", 1, NULL, MIN},
                                          {"max", 1, NULL, MAX},     {"device", 1, NULL, DEVICE},
                                          {"runs", 1, NULL, RUNS},   {"json", 0, NULL, JSON},
                                          {"help", 0, NULL, HELP},   {0}};
    const long gigabyte = 1L << 30;
    *b = (bench){.ranks = 2, .runs = 20, .min = 1024, .max = 64 << 20, .device_name = "cpu"};
    for (int c, index = 0; (c = getopt_long(argc, argv, "", flags, &index)) != -1;) switch (c) {
        case RANKS:
            b->ranks = (int)bench_number(optarg, "ranks", 1, BENCH_MAX_RANKS);
            break;
        case MIN:
            b->min = (size_t)bench_number(optarg, "min", 4 * BENCH_MAX_RANKS, gigabyte);
            break;
        case MAX:
            b->max = (size_t)bench_number(optarg, "max", 4 * BENCH_MAX_RANKS, gigabyte);
            break;
        case DEVICE:
            b->device_name = optarg;
            break;
        case RUNS:
            b->runs = (int)bench_number(optarg, "runs", 1, BENCH_MOST);
            break;
        case JSON:
            b->json = true;
            break;
        case HELP:
            bench_helped(usage);
        default:
            bench_misused(usage);
        }
    if (optind != argc || b->min > b->max) bench_misused(usage);
}

int bench_collectives(int argc, char **argv) {
    bench b;
    int file;
    parse(argc, argv, &b);
    if (!bench_meeting(b.meeting, &file)) return 1;
    const int code = bench_run_ranks(b.ranks, run_rank, &b);
    close(file);
    return code;
}
