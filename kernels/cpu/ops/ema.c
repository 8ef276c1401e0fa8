/* average += (1 - d) (x - average), d = decay, or min(decay, (1 + t) / (10 + t)) with warm-up. */
#include "cpu/lib/rows.h"

static chl_kernel_status update(const chl_call *call) {
    const float *x = call->in[0];
    float *average = call->out[0];
    const int64_t count = chl_count(&call->in_desc[0]);
    const double t = (double)call->step->index, warm = (1 + t) / (10 + t);
    double decay = (double)call->attr.ema.decay;
    if (call->attr.ema.warm_up && warm < decay) decay = warm;
    const float fresh = (float)(1 - decay);
#pragma omp parallel for simd schedule(static) if (chl_worth_threads(count))
    for (int64_t i = 0; i < count; i++) average[i] += fresh * (x[i] - average[i]);
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_ema = {.run = update};
