/* loss = mean_i (lse_i - logits[i, i + offset]): InfoNCE's cross entropy (METHOD Eq. 1-8), where
 * row i belongs to column i + offset of the global batch. */
#include "cpu/lib/softmax.h"

static size_t forward_workspace(const chl_call *call) {
    return (size_t)call->in_desc[0].dim[0] * sizeof(float);
}

static chl_kernel_status forward(const chl_call *call) {
    const int64_t rows = call->in_desc[0].dim[0], columns = call->in_desc[0].dim[1];
    const float *logits = call->in[0];
    float *loss = call->out[0], *lse = call->out[1], *each = call->workspace;
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * columns))
    for (int64_t i = 0; i < rows; i++) {
        const float *row = logits + i * columns;
        const float log_sum = chl_log_sum_exp(row, columns, 1);
        each[i] = log_sum - row[i + call->attr.loss.offset];
        if (lse) chl_put(lse + i, log_sum, chl_accumulates(call, 1));
    }
    if (loss) chl_put(loss, chl_mean_of(each, rows), chl_accumulates(call, 0));
    return CHL_KERNEL_OK;
}

static chl_kernel_status backward(const chl_call *call) {
    const int64_t rows = call->in_desc[1].dim[0], columns = call->in_desc[1].dim[1];
    const float *dloss = call->in[0], *logits = call->in[1], *lse = call->in[2];
    float *dlogits = call->out[0];
    const float share = dloss[0] / (float)rows;
    const int accumulate = chl_accumulates(call, 0);
#pragma omp parallel for schedule(static) if (chl_worth_threads(rows * columns))
    for (int64_t i = 0; i < rows; i++) {
        const float *row = logits + i * columns;
        float *out = dlogits + i * columns;
        const int64_t own = i + call->attr.loss.offset;
        for (int64_t j = 0; j < columns; j += CHL_LANES) {
            chl_vec p = chl_vexp(chl_load_part(row + j, columns - j) - lse[i]);
            if (own >= j && own < j + CHL_LANES) p[own - j] -= 1;
            chl_put_part(out + j, share * p, columns - j, accumulate);
        }
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_cross_entropy = {.run = forward, .workspace = forward_workspace};
const chl_body chl_cpu_cross_entropy_dx = {.run = backward};
