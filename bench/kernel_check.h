/* --check: a case's kernels compute what the CPU does on the paths that shapes choose. */
#ifndef CHL_BENCH_KERNEL_CHECK_H
#define CHL_BENCH_KERNEL_CHECK_H
#include "kernel_timing.h"

#define CHECK_FLOAT 1e-4 /* allowed relative L2 differences */
#define CHECK_BF16 3e-2

#define CHECK_KERNELS 32

typedef struct kernel_differences { /* of each kernel in the order of kernel_nodes */
    int count;
    chl_op op[CHECK_KERNELS];
    double of[CHECK_KERNELS]; /* the largest of a kernel's outputs; < 0: it has none to compare */
} kernel_differences;

/* Runs the case twice: as the settings say, and on the CPU in float. CHL_ERR_INTERNAL with the first
 * kernel that differs by more than is allowed. */
chl_status kernel_check(const kernel_settings *settings, const kernel_case *c, int batch,
                        kernel_differences *out);
#endif
