/* What a vendor's library is to vendor.c: a kernel_vendor begins one library's own struct. */
#ifndef CHL_BENCH_VENDOR_LIBRARY_H
#define CHL_BENCH_VENDOR_LIBRARY_H
#include "vendor.h"

struct kernel_vendor {
    const char *name; /* the library's */
    double tolerance;
    chl_kernel_status (*run)(kernel_vendor *vendor);
    void (*free)(kernel_vendor *vendor);
    void *result; /* memory of the device, of output 0's type and size */
};

/* *out NULL as for kernel_vendor_new, or a kernel that can be run. */
chl_status vendor_onednn_new(const kernel_node *node, kernel_vendor **out);
chl_status vendor_cublaslt_new(const kernel_node *node, bool tf32, kernel_vendor **out);

/* The call writes output 0, alone, and is no part of a fused one. */
bool vendor_is_plain(const kernel_node *node);
int64_t vendor_width(const chl_desc *desc); /* its last dimension */
/* Pseudo-random numbers in input i, if it is of floats or bf16: other kernels of the graph may have
 * used an activation's memory since it was computed. */
chl_status vendor_fill(const kernel_node *node, int i);
/* `count` numbers of the device, float or bf16, as floats, to be freed. */
chl_status vendor_read(const kernel_node *node, const void *data, chl_dtype dtype, int64_t count,
                       float **out);
#endif
