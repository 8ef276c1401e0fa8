/* Stochastic depth [Huang et al. 2016]: whole rows n of x [N,...] are dropped with probability
 * `rate`, the others scaled by 1/(1-rate). Its own gradient: the draw depends on the step, not on
 * the data. */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"
#include "philox.h"
#include <stdbool.h>

static chl_kernel_status run(const chl_call *call) {
    const float *x = call->in[0];
    float *y = call->out[0], rate = call->attr.drop.rate;
    if (!y) return CHL_KERNEL_OK;
    if (!call->step) return CHL_KERNEL_BAD_INPUT;
    int acc = chl_accumulates(call, 0);
    int64_t count = chl_count(&call->in_desc[0]), rows = call->in_desc[0].dim[0];
    int64_t row = count / rows;
    for (int64_t n = 0; n < rows; n++) {
        chl_philox random =
            chl_random(call->step->seed, call->attr.drop.purpose, (uint64_t)call->step->index,
                       (uint64_t)(call->attr.drop.first + n));
        bool keep = chl_uniform(random.word[0]) >= rate;
        float factor = keep ? 1.0f / (1.0f - rate) : 0.0f;
        const float *from = x + n * row;
        float *to = y + n * row;
        if (!keep && acc) continue;
#pragma omp parallel for schedule(static) if (row > CHL_PARALLEL_FROM)
        for (int64_t i = 0; i < row; i += CHL_LANES) {
            int64_t some = chl_lanes_left(row - i);
            chl_vec v = {0};
            if (keep) v = factor * chl_load_part(from + i, some);
            chl_put_part(to + i, v, some, acc);
        }
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_drop_path = {run, NULL, NULL};
