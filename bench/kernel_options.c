#include "arguments.h"
#include "kernel_change.h"
#include "kernel_paths.h"
#include "kernels.h"
#include "runtime/open.h"
#include <fnmatch.h>
#include <getopt.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define NEAREST 3 /* names that an error offers */

static void usage(FILE *to) {
    fprintf(
        to,
        "usage: chladni bench kernels [PATTERN] [options]\n"
        "       chladni bench kernels --compare OLD.json NEW.json [--bound 5%%]\n\n"
        "Times each kernel that PATTERN (a part of its name, or a glob) selects, against what\n"
        "this machine can do, measured in the same run.\n\n"
        "  --list            names of kernels, shapes, sets, and paths on --device\n"
        "  --set A,B         sets of shapes (stylegan2-256,swin-tiny,clip-b32)\n"
        "  --shape AxBxC     PATTERN's op at a shape of one's own: --list says of what\n"
        "  --batch N         in place of each case's own (also --sweep batch=1,2,4,8)\n"
        "  --device NAME     cpu, cuda, cuda:N or auto: a GPU where there is one (auto)\n"
        "  --bf16            activations in bf16, on a GPU\n"
        "  --threads N       of the CPU (all cores)\n"
        "  --runs N          timed runs of each kernel (21)\n"
        "  --warm            caches stay warm: nothing is cleared before a run\n"
        "  --flush MB        cleared before each run (128)\n"
        "  --path NAME       only what this way of computing takes, and in this way: --list has\n"
        "                    them; without it kernels choose by shape\n"
        "  --check           first compares every result with the CPU's on the path by shape\n"
        "  --no-vendor       without the vendor's kernels\n"
        "  --tf32            the vendor may round factors of float products to TF32, on a GPU\n"
        "  --small           little matrices for the roofs of an emulated device\n"
        "  --json, --csv     for programs\n"
        "  --html FILE       also as a page: the roofline, a table that sorts, and the steps\n"
        "  --steps A,B       also a step of stylegan2, clip, swin, swin-train, wplus or mel: its\n"
        "                    time by network and by op; --step-runs N (10), --size N (256), "
        "--face\n"
        "  --png FILE        the roofline as a picture\n"
        "  --starts N        also N starts of this program, whose figures --json holds for "
        "--compare\n"
        "  --against PROGRAM another build's chladni-bench: --starts of both (20), in turns\n"
        "  --runs-per-start N  of each kernel (25)\n"
        "  --clock NAME      of the starts: wall, or processor, on one thread of the CPU (there)\n"
        "  --bound P%%        what --compare and --against call slower (5%%)\n");
}

/* --- names ------------------------------------------------------------------------------------ */
bool kernel_matches(const char *pattern, const char *name) {
    if (!pattern) return true;
    return strpbrk(pattern, "*?[") ? fnmatch(pattern, name, 0) == 0 : strstr(name, pattern) != NULL;
}

/* Letters to change, add or take away [Levenshtein 1966]. */
static int distance(const char *a, const char *b) {
    enum { LONGEST = 64 };
    int row[LONGEST + 1];
    const int n = (int)strnlen(a, LONGEST), m = (int)strnlen(b, LONGEST);
    for (int j = 0; j <= m; j++) row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            const int shorter = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            row[j] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[m];
}

#define MAX_NAMES 128
typedef struct name_list {
    char name[MAX_NAMES][40];
    int count;
} name_list;

static void all_kernels(name_list *all) {
    all->count = 0;
    for (int f = 0; f < kernel_families(); f++)
        for (const char *at = kernel_family_at(f)->kernels; *at && all->count < MAX_NAMES;) {
            const int length = (int)strcspn(at, " ");
            snprintf(all->name[all->count++], sizeof all->name[0], "%.*s", length, at);
            at += length + (at[length] == ' ');
        }
}
static void all_sets(name_list *all) {
    all->count = 0;
    for (int s = 0; s < kernel_sets(); s++)
        snprintf(all->name[all->count++], sizeof all->name[0], "%s", kernel_set_at(s)->name);
}

/* "chladni-bench: no WHAT is called TEXT; nearest: a, b, c" */
static int unknown(const char *what, const char *text, name_list *all) {
    fprintf(stderr, "chladni-bench: no %s is called \"%s\"; nearest:", what, text);
    for (int k = 0; k < NEAREST && k < all->count; k++) {
        int best = k;
        for (int i = k + 1; i < all->count; i++)
            if (distance(text, all->name[i]) < distance(text, all->name[best])) best = i;
        char name[sizeof all->name[0]];
        memcpy(name, all->name[k], sizeof name);
        memmove(all->name[k], all->name[best], sizeof name);
        memcpy(all->name[best], name, sizeof name);
        fprintf(stderr, "%s %s", k ? "," : "", all->name[k]);
    }
    fprintf(stderr, " (chladni bench kernels --list has all)\n");
    return 2;
}

static int list_paths(const char *name) {
    const char *why;
    chl_device *device = chl_device_open(name, &why);
    if (!device) {
        fprintf(stderr, "chladni-bench: %s\n", why);
        return 1;
    }
    kernel_paths_print(device, stdout);
    chl_device_close(device);
    return 0;
}

static int list(const char *device) {
    printf("ops that --shape takes, and the kernels that each has:\n");
    for (int i = 0; i < kernel_families(); i++) {
        const kernel_family *f = kernel_family_at(i);
        printf("  %-18s --shape %-24s %s\n", f->name, f->shape, f->kernels);
    }
    printf("\nsets of shapes:\n");
    for (int i = 0; i < kernel_sets(); i++)
        printf("  %-18s %s\n", kernel_set_at(i)->name, kernel_set_at(i)->about);
    printf("\nsteps, for --steps and chladni bench steps:\n");
    for (int i = 0; i < bench_workloads(); i++)
        printf("  %-18s %s\n", bench_workload_at(i)->name, bench_workload_at(i)->what);
    return list_paths(device);
}

/* --- values ----------------------------------------------------------------------------------- */
static bool whole(const char *text, int min, int max, int *out) {
    char *end;
    const long value = strtol(text, &end, 10);
    if (end == text || *end || value < min || value > max) return false;
    *out = (int)value;
    return true;
}

/* Numbers between separators; their count, or -1. */
static int numbers(const char *text, char separator, int min, int most, int *out) {
    int count = 0;
    for (;;) {
        char *end;
        const long value = strtol(text, &end, 10);
        if (end == text || count == most || value < min || value > 1 << 20) return -1;
        out[count++] = (int)value;
        if (!*end) return count;
        if (*end != separator) return -1;
        text = end + 1;
    }
}

static int refuse(const char *flag, const char *expected, const char *got) {
    fprintf(stderr, "chladni-bench: --%s must be %s, got \"%s\"\n", flag, expected, got);
    return 2;
}

static int take_sets(const char *text, kernel_command *c) {
    char name[40];
    for (c->sets = 0;; text++) {
        const size_t length = strcspn(text, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, text);
        const kernel_set *set = kernel_set_named(name);
        name_list all;
        all_sets(&all);
        if (!set) return unknown("set", name, &all);
        if (c->sets == KERNEL_SETS) return refuse("set", "at most 8 names", text);
        c->set[c->sets++] = set;
        text += length;
        if (!*text) return 0;
    }
}

static int take_steps(const char *text, kernel_command *c) {
    char name[40];
    for (c->steps = 0;; text++) {
        const size_t length = strcspn(text, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, text);
        const bench_workload *workload = bench_workload_named(name);
        name_list all = {.count = bench_workloads()};
        for (int i = 0; i < all.count; i++)
            snprintf(all.name[i], sizeof all.name[i], "%s", bench_workload_at(i)->name);
        if (!workload) return unknown("step", name, &all);
        if (c->steps == KERNEL_STEPS) return refuse("steps", "at most 8 names", text);
        c->step[c->steps++] = workload;
        text += length;
        if (!*text) return 0;
    }
}

static int take_bound(const char *text, double *bound) {
    char *end;
    const double value = strtod(text, &end);
    const bool percent = *end == '%';
    *bound = percent ? value / 100 : value;
    if (end == text || end[percent] || !(*bound > 0) || *bound > 10)
        return refuse("bound", "a share > 0 such as 5% or 0.05", text);
    return 0;
}

static int take_sweep(const char *text, kernel_command *c) {
    c->batches =
        strncmp(text, "batch=", 6) == 0 ? numbers(text + 6, ',', 1, KERNEL_BATCHES, c->batch) : -1;
    return c->batches > 0 ? 0 : refuse("sweep", "batch=N,N,... with at most 16 numbers >= 1", text);
}

static int take_shape(kernel_command *c) {
    const kernel_family *f = c->pattern ? kernel_family_named(c->pattern) : NULL;
    if (!f) {
        fprintf(stderr,
                "chladni-bench: --shape needs the name of an op: chladni bench kernels --list "
                "has them\n");
        return 2;
    }
    c->own = (kernel_case){.what = "own shape", .family = f, .batch = 1};
    c->own.dims = *c->shape ? numbers(c->shape, 'x', 0, KERNEL_DIMS, c->own.dim) : 0;
    if (c->own.dims < f->min_dims || c->own.dims > f->max_dims)
        return refuse("shape", f->shape, c->shape);
    for (int i = 0; i < c->own.dims; i++) /* only the last number of modconv is a switch */
        if (c->own.dim[i] < 1 && !(f->zero_last && i == c->own.dims - 1))
            return refuse("shape", "numbers > 0", c->shape);
    const char *why = f->refuses ? f->refuses(c->own.dim, c->own.dims) : NULL;
    return why ? refuse("shape", why, c->shape) : 0;
}

/* --- the command line ------------------------------------------------------------------------- */
enum {
    LIST = 256,
    SET,
    SHAPE,
    BATCH,
    SWEEP,
    DEVICE,
    HALF,
    THREADS,
    RUNS,
    WARM,
    FLUSH,
    NO_VENDOR,
    TF32,
    SMALL,
    JSON,
    CSV,
    HTML,
    PNG,
    AGAINST,
    STARTS,
    PER_START,
    CLOCK,
    BOUND,
    COMPARE,
    SERVE,
    PATH,
    CHECK,
    STEPS,
    STEP_RUNS,
    SIZE,
    FACE,
    HELP
};
static const struct option flags[] = {{"list", 0, NULL, LIST},
                                      {"set", 1, NULL, SET},
                                      {"shape", 1, NULL, SHAPE},
                                      {"batch", 1, NULL, BATCH},
                                      {"sweep", 1, NULL, SWEEP},
                                      {"device", 1, NULL, DEVICE},
                                      {"bf16", 0, NULL, HALF},
                                      {"threads", 1, NULL, THREADS},
                                      {"runs", 1, NULL, RUNS},
                                      {"warm", 0, NULL, WARM},
                                      {"flush", 1, NULL, FLUSH},
                                      {"no-vendor", 0, NULL, NO_VENDOR},
                                      {"tf32", 0, NULL, TF32},
                                      {"small", 0, NULL, SMALL},
                                      {"json", 0, NULL, JSON},
                                      {"csv", 0, NULL, CSV},
                                      {"html", 1, NULL, HTML},
                                      {"png", 1, NULL, PNG},
                                      {"against", 1, NULL, AGAINST},
                                      {"starts", 1, NULL, STARTS},
                                      {"runs-per-start", 1, NULL, PER_START},
                                      {"clock", 1, NULL, CLOCK},
                                      {"bound", 1, NULL, BOUND},
                                      {"compare", 1, NULL, COMPARE},
                                      {"serve", 0, NULL, SERVE},
                                      {"path", 1, NULL, PATH},
                                      {"check", 0, NULL, CHECK},
                                      {"steps", 1, NULL, STEPS},
                                      {"step-runs", 1, NULL, STEP_RUNS},
                                      {"size", 1, NULL, SIZE},
                                      {"face", 0, NULL, FACE},
                                      {"help", 0, NULL, HELP},
                                      {0}};

static int take_number(int flag, const char *text, kernel_command *c) {
    int *to = flag == THREADS ? &c->threads : flag == RUNS ? &c->runs : &c->flush_mb;
    const char *name = flag == THREADS ? "threads" : flag == RUNS ? "runs" : "flush";
    const int max = flag == THREADS ? 4096 : flag == RUNS ? 100000 : 65536;
    return whole(text, 1, max, to) ? 0 : refuse(name, "a whole number >= 1", text);
}

static int take_start_option(int flag, kernel_command *c) {
    if (flag == CLOCK) {
        c->clock = optarg;
        return !strcmp(optarg, "wall") || !strcmp(optarg, "processor")
                   ? 0
                   : refuse("clock", "wall or processor", optarg);
    }
    if (flag == STARTS)
        return whole(optarg, 1, KERNEL_MAX_STARTS, &c->starts)
                   ? 0
                   : refuse("starts", "a whole number from 1 to 100", optarg);
    return whole(optarg, 1, 100000, &c->runs_per_start)
               ? 0
               : refuse("runs-per-start", "a whole number >= 1", optarg);
}

static int take(int flag, kernel_command *c) {
    switch (flag) {
    case SET:
        return take_sets(optarg, c);
    case SWEEP:
        return take_sweep(optarg, c);
    case BOUND:
        return take_bound(optarg, &c->bound);
    case BATCH:
        c->batches = 1;
        return whole(optarg, 1, 1 << 20, c->batch)
                   ? 0
                   : refuse("batch", "a whole number from 1 to 1048576", optarg);
    case THREADS:
    case RUNS:
    case FLUSH:
        return take_number(flag, optarg, c);
    case STARTS:
    case PER_START:
    case CLOCK:
        return take_start_option(flag, c);
    case STEPS:
        return take_steps(optarg, c);
    case STEP_RUNS:
        return whole(optarg, 1, 100000, &c->step_runs)
                   ? 0
                   : refuse("step-runs", "a whole number >= 1", optarg);
    case SIZE:
        return whole(optarg, 1, 1024, &c->size)
                   ? 0
                   : refuse("size", "a whole number from 1 to 1024", optarg);
    case PATH:
        c->path = optarg;
        return 0;
    case SHAPE:
        c->shape = optarg;
        return 0;
    case HTML:
        c->html = optarg;
        return 0;
    case PNG:
        c->png = optarg;
        return 0;
    case DEVICE:
        c->device = optarg;
        return 0;
    case AGAINST:
        c->against = optarg;
        return 0;
    case COMPARE:
        c->compare[0] = optarg;
        return 0;
    default:
        return 0;
    }
}

static void switch_on(int flag, kernel_command *c) {
    c->list |= flag == LIST;
    c->half |= flag == HALF;
    c->warm |= flag == WARM;
    c->no_vendor |= flag == NO_VENDOR;
    c->tf32 |= flag == TF32;
    c->small |= flag == SMALL;
    c->json |= flag == JSON;
    c->csv |= flag == CSV;
    c->serve |= flag == SERVE;
    c->check |= flag == CHECK;
    c->face |= flag == FACE;
}

static int check_pattern(const kernel_command *c) {
    name_list all;
    all_kernels(&all);
    for (int i = 0; i < all.count; i++)
        if (kernel_matches(c->pattern, all.name[i])) return 0;
    return unknown("kernel", c->pattern, &all);
}

/* NULL, or what is wrong with the flags together. */
static const char *goes_not_together(const kernel_command *c) {
    bool edits = false;
    for (int i = 0; i < c->steps; i++) edits |= strcmp(c->step[i]->name, "wplus") == 0;
    if (c->face && !edits) return "--face is of --steps wplus";
    if (c->steps && c->csv) return "--csv has no place for --steps: take --json or --html";
    if (c->starts && !c->against && !c->json && !c->serve)
        return "--starts needs --json or --against PROGRAM";
    return NULL;
}

int kernel_parse(int argc, char **argv, kernel_command *c) {
    *c = (kernel_command){.device = "auto",
                          .runs = 21,
                          .runs_per_start = 25,
                          .flush_mb = 128,
                          .bound = 0.05,
                          .step_runs = 10,
                          .size = 256};
    c->threads = omp_get_num_procs();
    (void)take_sets("stylegan2-256,swin-tiny,clip-b32", c);
    for (int flag; (flag = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        if (flag == HELP) {
            usage(stdout);
            return 1;
        }
        if (flag == '?') return 1 + 2; /* getopt has said it */
        switch_on(flag, c);
        const int code = take(flag, c);
        if (code) return 1 + code;
    }
    const int words = argc - optind, expected = c->compare[0] ? 1 : words > 0;
    if (words != expected) {
        fprintf(stderr, c->compare[0] ? "chladni-bench: --compare takes two files\n"
                                      : "chladni-bench: one PATTERN at most\n");
        return 1 + 2;
    }
    if (c->compare[0])
        c->compare[1] = argv[optind];
    else if (words)
        c->pattern = argv[optind];
    if (c->list) return 1 + list(c->device);
    if (c->against && !c->starts) c->starts = 20;
    if (c->html) bench_check_ending("html", c->html, ".html");
    if (c->png) bench_check_ending("png", c->png, ".png");
    const char *wrong = goes_not_together(c);
    if (wrong) {
        fprintf(stderr, "chladni-bench: %s\n", wrong);
        return 1 + 2;
    }
    const int code = c->compare[0] ? 0 : c->shape ? take_shape(c) : check_pattern(c);
    return code ? 1 + code : 0;
}
