/* A workload on a device: built, run, timed, and divided into networks and ops. */
#ifndef CHL_BENCH_STEPS_H
#define CHL_BENCH_STEPS_H
#include "base/json.h"
#include "bench.h"
#include <stdio.h>

#define STEP_WARM 3 /* untimed runs */

typedef struct bench_step {
    const bench_workload *workload;
    bench_options options;
    const char *device_name, *path; /* path NULL: by shape */
    bool half, no_fusion, profile;
    /* while it is open */
    chl_device *device;
    void *last; /* device memory: reading it waits for all that is queued */
    bench_job job;
    chl_plan plan;
    int64_t index;
} bench_step;

int bench_workloads(void);
const bench_workload *bench_workload_at(int i);
const bench_workload *bench_workload_named(const char *name); /* NULL: none */

/* Closes what it opened when it fails; bench_step_close is allowed in any case. */
chl_status bench_step_open(bench_step *step);
void bench_step_close(bench_step *step);
/* Seconds of one run. */
chl_status bench_step_run(bench_step *step, double *seconds);
/* `runs` of them after the warm ones, in ascending order; with step->profile the nodes are timed. */
chl_status bench_step_time(bench_step *step, int runs, double *seconds);
const char *bench_step_precision(const bench_step *step);
/* All that the planner allocates, weights included. */
double bench_step_peak_mb(const bench_step *step);
/* What was measured, of `runs` ascending seconds; no times of an emulated device. NULL without
 * memory. */
json_t *bench_step_json(const bench_step *step, int runs, const double *seconds);

/* step_profile.c: where a step's time went, by network and by op, from bench_step_time. Seconds are
 * means of one run. NULL without memory. */
json_t *bench_profile_json(const bench_step *step);
/* The same as lines of text, one per network and direction. */
void bench_profile_print(const json_t *profile, FILE *to);
#endif
