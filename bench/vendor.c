#include "bf16.h"
#include "vendor_library.h"
#include <math.h>
#include <stdlib.h>

chl_status kernel_vendor_new(const kernel_node *node, bool tf32, kernel_vendor **out) {
    *out = NULL;
    if (!vendor_is_plain(node)) return CHL_OK;
    return node->settings->device->backend->host_memory ? vendor_onednn_new(node, out)
                                                        : vendor_cublaslt_new(node, tf32, out);
}
const char *kernel_vendor_name(const kernel_vendor *v) {
    return v->name;
}
double kernel_vendor_tolerance(const kernel_vendor *v) {
    return v->tolerance;
}
chl_kernel_status kernel_vendor_run(void *vendor) {
    kernel_vendor *v = vendor;
    return v->run(v);
}
void kernel_vendor_free(kernel_vendor *v) {
    if (v) v->free(v);
}

/* --- what the libraries share ----------------------------------------------------------------- */
bool vendor_is_plain(const kernel_node *node) {
    const chl_call *call = node->call;
    if (node->node->fused || call->accumulate || !call->out[0]) return false;
    for (int i = 0; i < call->inputs; i++)
        if (call->in[i] == call->out[0]) return false;
    return true;
}

int64_t vendor_width(const chl_desc *desc) {
    return desc->dim[desc->rank - 1];
}

chl_status vendor_fill(const kernel_node *node, int i) {
    chl_device *device = node->settings->device;
    const chl_desc *desc = &node->call->in_desc[i];
    const int64_t count = chl_count(desc);
    void *to = (void *)(uintptr_t)node->call->in[i];
    if (!to || (desc->dtype != CHL_F32 && desc->dtype != CHL_BF16)) return CHL_OK;
    float *data = malloc((size_t)count * sizeof *data);
    if (!data) return chl_fail(CHL_ERR_MEMORY, "out of memory for a kernel's input");
    for (int64_t j = 0; j < count; j++) data[j] = (float)((j * 7919 + i) % 1009) / 504.0f - 1;
    if (desc->dtype == CHL_BF16) bench_round_bf16(data, count);
    const chl_status status = device->backend->upload(device, to, data, (size_t)chl_bytes(desc));
    free(data);
    return status;
}

chl_status vendor_read(const kernel_node *node, const void *data, chl_dtype dtype, int64_t count,
                       float **out) {
    chl_device *device = node->settings->device;
    float *read = malloc((size_t)count * sizeof *read);
    *out = NULL;
    if (!read) return chl_fail(CHL_ERR_MEMORY, "out of memory for a kernel's numbers");
    const chl_status status =
        device->backend->download(device, read, data, (size_t)(count * chl_item_bytes(dtype)));
    if (status != CHL_OK) {
        free(read);
        return status;
    }
    if (dtype == CHL_BF16) bench_widen_bf16(read, count);
    *out = read;
    return CHL_OK;
}

/* --- equality --------------------------------------------------------------------------------- */
static double difference_of(const float *ours, const float *theirs, int64_t count) {
    double square = 0, whole = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = (double)ours[i] - (double)theirs[i];
        square += d * d;
        whole += (double)theirs[i] * (double)theirs[i];
    }
    return whole > 0 ? sqrt(square / whole) : INFINITY; /* zeros show nothing */
}

chl_status kernel_vendor_difference(const kernel_node *node, kernel_vendor *v, double *difference) {
    const chl_desc *desc = &node->call->out_desc[0];
    const int64_t count = chl_count(desc);
    float *ours, *theirs = NULL;
    double ignored;
    CHL_TRY(kernel_run(node, &ignored));
    CHL_TRY(vendor_read(node, node->call->out[0], desc->dtype, count, &ours));
    chl_status status = CHL_OK;
    if (v->run(v) != CHL_KERNEL_OK)
        status =
            chl_fail(CHL_ERR_INTERNAL, "%s's %s of %s failed", v->name, node->name, node->shape);
    if (status == CHL_OK) status = vendor_read(node, v->result, desc->dtype, count, &theirs);
    if (status == CHL_OK) *difference = difference_of(ours, theirs, count);
    free(ours);
    free(theirs);
    return status;
}
