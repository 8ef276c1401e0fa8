/* The same kernel by the library of the processor's vendor, where this program knows how to ask it:
 * oneDNN on the CPU. */
#ifndef CHL_BENCH_VENDOR_H
#define CHL_BENCH_VENDOR_H
#include "kernel_timing.h"

#define VENDOR_TOLERANCE 1e-4 /* relative L2 difference of float results */

typedef struct kernel_vendor kernel_vendor;
/* *out NULL: the library has no such kernel, or is not there. Fills the kernel's inputs with
 * pseudo-random numbers. */
chl_status kernel_vendor_new(const kernel_node *node, kernel_vendor **out);
const char *kernel_vendor_name(const kernel_vendor *vendor);
/* Runs both; the relative L2 difference of output 0. */
chl_status kernel_vendor_difference(const kernel_node *node, kernel_vendor *vendor,
                                    double *difference);
/* For kernel_run_other. */
chl_kernel_status kernel_vendor_run(void *vendor);
void kernel_vendor_free(kernel_vendor *vendor); /* NULL is allowed */
#endif
