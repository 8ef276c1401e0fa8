/* What chladni-bench kernels measured, and how it is shown. */
#ifndef CHL_BENCH_KERNEL_RESULTS_H
#define CHL_BENCH_KERNEL_RESULTS_H
#include "base/json.h"
#include "kernel_timing.h"
#include "roofs.h"
#include <stdio.h>

#define KERNEL_KEY 320

typedef struct kernel_result {
    char set[24], name[40], what[48], shape[96], precision[8], path[24];
    int batch, runs;
    int64_t bytes;
    double flops;
    double *seconds; /* [runs], in the order of running */
    kernel_spread spread;
    const char *vendor; /* NULL: none */
    kernel_spread vendor_spread;
    double vendor_difference;
    double difference; /* from the CPU's; < 0: not compared */
} kernel_result;

#define KERNEL_START_KEY (KERNEL_KEY + 32) /* "SET: key" */

typedef struct kernel_starts { /* one figure per kernel and process start (kernel_starts.h) */
    int starts, kernels;
    bool processor; /* time of the processor, otherwise of the clock */
    char (*key)[KERNEL_START_KEY];
    double *seconds[2]; /* [kernels][starts] of each of two programs; the second may be NULL */
} kernel_starts;

typedef struct kernel_report {
    const char *device, *precision;
    int threads;
    bool emulated; /* nothing is timed: no roofs, no seconds */
    size_t flush;  /* bytes; 0: warm caches */
    bench_roofs roofs;
    kernel_result *result;
    int count, capacity;
    const kernel_starts *starts; /* of the same kernels in the same order; NULL: none */
    json_t *steps;               /* of bench_step_json, an array; NULL: none */
} kernel_report;

/* What a kernel takes at least, by the roofs; `by_arithmetic` says which of them is higher up. */
double kernel_roof_seconds(const bench_roofs *roofs, const kernel_result *r, bool *by_arithmetic);
/* FLOPs per byte where both roofs meet. */
double kernel_ridge(const bench_roofs *roofs);
void kernel_report_free(kernel_report *report);

void kernel_print_text(const kernel_report *report, FILE *to);
void kernel_print_csv(const kernel_report *report, FILE *to);
/* JSON, to be freed; NULL without memory. */
char *kernel_report_text(const kernel_report *report);
/* The JSON in a page for a browser; the file appears complete or not at all. */
chl_status kernel_write_page(const kernel_report *report, const char *path);
/* The roofline as a picture; the file appears complete or not at all. */
chl_status kernel_write_png(const kernel_report *report, const char *path);
/* What the machine says of itself: load, clock in MHz, temperature; {} where it says nothing. */
json_t *kernel_conditions(void);
#endif
