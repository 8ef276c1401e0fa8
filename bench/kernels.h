/* chladni-bench kernels: single kernels against the roofs of the machine. */
#ifndef CHL_BENCH_KERNELS_H
#define CHL_BENCH_KERNELS_H
#include "kernel_results.h"
#include "steps.h"

#define KERNEL_BATCHES 16
#define KERNEL_SETS 8
#define KERNEL_STEPS 8

typedef struct kernel_command {
    const char *device, *pattern, *against;
    const char *html;  /* a page to write; NULL: none */
    const char *png;   /* a picture to write; NULL: none */
    const char *clock; /* "wall", "processor", or NULL: what suits */
    const char *path;  /* NULL: kernels choose by shape */
    const kernel_set *set[KERNEL_SETS];
    int sets;
    kernel_case own; /* of --shape; own.family NULL: none */
    const char *shape;
    int batch[KERNEL_BATCHES], batches;                  /* 0: each case's own */
    int runs, runs_per_start, starts, threads, flush_mb; /* starts 0: none */
    double bound;
    bool half, warm, small, json, csv, list, no_vendor, tf32, serve, check;
    const bench_workload *step[KERNEL_STEPS]; /* also profiled */
    int steps, step_runs;
    bool face; /* of wplus */
    int size;  /* of a step's pictures */
    const char *compare[2];
} kernel_command;

/* The arguments from "kernels" on; returns the exit code. */
int bench_kernels(int argc, char **argv);
/* Calls visit for every kernel that the command selects. */
typedef chl_status kernel_selected(void *user, const char *set, const kernel_node *node);
chl_status kernel_select(const kernel_command *command, const kernel_settings *settings,
                         kernel_selected *visit, void *user);
/* "kernel, case, shape, precision" in key [KERNEL_KEY] */
void kernel_key(const kernel_node *node, char *key);

/* kernel_options.c: 0 to go on, or the exit code + 1 where all is said. */
int kernel_parse(int argc, char **argv, kernel_command *command);
bool kernel_matches(const char *pattern, const char *name);
#endif
