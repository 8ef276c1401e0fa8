/* What a machine can do, measured: the two roofs of the roofline model [Williams et al. 2009]. */
#ifndef CHL_BENCH_ROOFS_H
#define CHL_BENCH_ROOFS_H
#include "kernel_timing.h"

typedef struct bench_roofs {
    double copy;           /* bytes per second, read and written ones together */
    double arithmetic;     /* FLOP per second in the precision of the settings */
    const char *copy_from; /* what was measured */
    const char *arithmetic_from;
    double sheet_copy, sheet_arithmetic; /* of the datasheet; 0: not known */
} bench_roofs;

/* The best of several runs each: a roof is what is possible. On the CPU a copy of memory larger than
 * the caches and a loop of independent multiply-adds in registers, on all threads. On other devices,
 * where this program has no loops of its own, the op `sum` of two large tensors and the largest
 * matrix product; `small`: little ones, for an emulated device. */
chl_status bench_roofs_measure(const kernel_settings *settings, bool small, bench_roofs *out);
#endif
