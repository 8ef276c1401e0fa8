/* Rows of a table selected by id, and their gradient added up per row. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"

static chl_kernel_status check(const int32_t *ids, int64_t count, int64_t limit) {
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= limit) return CHL_KERNEL_BAD_INPUT;
    return CHL_KERNEL_OK;
}

static chl_kernel_status forward(const chl_call *call) {
    const int32_t *ids = call->in[0];
    const float *table = call->in[1];
    float *y = call->out[0];
    int64_t count = chl_count(&call->in_desc[0]), width = call->in_desc[1].dim[1];
    chl_kernel_status status = check(ids, count, call->in_desc[1].dim[0]);
    if (status != CHL_KERNEL_OK || !y) return status;
    int acc = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (count * width > CHL_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < width; c += CHL_LANES) {
            int64_t n = chl_lanes_left(width - c);
            chl_put_part(y + i * width + c, chl_load_part(table + ids[i] * width + c, n), n, acc);
        }
    return CHL_KERNEL_OK;
}

/* One thread owns some of the columns and loops over all ids in order: a token that occurs twice is
 * added by one thread, always in the same order. */
static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0];
    const int32_t *ids = call->in[1];
    float *dtable = call->out[0];
    const chl_desc *table = &call->out_desc[0];
    int64_t count = chl_count(&call->in_desc[1]), width = table->dim[1];
    chl_kernel_status status = check(ids, count, table->dim[0]);
    if (status != CHL_KERNEL_OK || !dtable) return status;
    if (!chl_accumulates(call, 0)) memset(dtable, 0, (size_t)chl_bytes(table));
#pragma omp parallel for schedule(static) if (count * width > CHL_PARALLEL_FROM)
    for (int64_t c = 0; c < width; c += CHL_LANES) {
        int64_t n = chl_lanes_left(width - c);
        for (int64_t i = 0; i < count; i++)
            chl_put_part(dtable + ids[i] * width + c, chl_load_part(dy + i * width + c, n), n, 1);
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_embedding = {forward, NULL, NULL};
const chl_body chl_cpu_embedding_dw = {backward, NULL, NULL};
