/* y = x * exp(min(log_scale, max_log_scale)), the learned logit scale of CLIP. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"
#include <math.h>

/* Partial sums per fixed share of the elements: the result does not depend on the thread count. */
#define SHARES 64

static void scale(const float *x, float factor, int64_t count, float *y, int acc) {
#pragma omp parallel for schedule(static) if (count > CHL_PARALLEL_FROM)
    for (int64_t i = 0; i < count; i += CHL_LANES) {
        int64_t n = chl_lanes_left(count - i);
        chl_put_part(y + i, factor * chl_load_part(x + i, n), n, acc);
    }
}

static double dot(const float *a, const float *b, int64_t count) {
    double share[SHARES];
#pragma omp parallel for schedule(static) if (count > CHL_PARALLEL_FROM)
    for (int64_t s = 0; s < SHARES; s++) {
        double total = 0;
        for (int64_t i = s * count / SHARES; i < (s + 1) * count / SHARES; i++)
            total += (double)a[i] * (double)b[i];
        share[s] = total;
    }
    double total = 0;
    for (int s = 0; s < SHARES; s++) total += share[s];
    return total;
}

static chl_kernel_status forward(const chl_call *call) {
    const float *x = call->in[0], *log_scale = call->in[1];
    if (!call->out[0]) return CHL_KERNEL_OK;
    scale(x, expf(fminf(*log_scale, call->attr.scale_by.max_log_scale)),
          chl_count(&call->in_desc[0]), call->out[0], chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

/* At and below `max_log_scale` the derivative to log_scale is that of exp, above it is 0. */
static chl_kernel_status backward(const chl_call *call) {
    const float *dy = call->in[0], *x = call->in[1], *log_scale = call->in[2];
    float max_log_scale = call->attr.scale_by.max_log_scale,
          factor = expf(fminf(*log_scale, max_log_scale));
    int64_t count = chl_count(&call->in_desc[0]);
    if (call->out[1]) {
        float d = *log_scale > max_log_scale ? 0 : (float)(factor * dot(dy, x, count));
        chl_put(call->out[1], d, chl_accumulates(call, 1));
    }
    if (call->out[0]) scale(dy, factor, count, call->out[0], chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_scale_by = {forward, NULL, NULL};
const chl_body chl_cpu_scale_by_backward = {backward, NULL, NULL};
