/* The same kernel by the library of the device's vendor, where this program knows how to ask it:
 * oneDNN on the CPU (vendor_onednn.c), cuBLASLt on a GPU (vendor_cublaslt.c). */
#ifndef CHL_BENCH_VENDOR_H
#define CHL_BENCH_VENDOR_H
#include "kernel_timing.h"

typedef struct kernel_vendor kernel_vendor;
/* *out NULL: the library has no such kernel, or is not there. Fills what the kernel reads of other
 * kernels with pseudo-random numbers. `tf32`: products of floats may round their factors to TF32. */
chl_status kernel_vendor_new(const kernel_node *node, bool tf32, kernel_vendor **out);
const char *kernel_vendor_name(const kernel_vendor *vendor);
/* The relative L2 difference of results that may come of rounding. */
double kernel_vendor_tolerance(const kernel_vendor *vendor);
/* Runs both; the relative L2 difference of output 0. */
chl_status kernel_vendor_difference(const kernel_node *node, kernel_vendor *vendor,
                                    double *difference);
/* For kernel_run_other. */
chl_kernel_status kernel_vendor_run(void *vendor);
void kernel_vendor_free(kernel_vendor *vendor); /* NULL is allowed */
#endif
