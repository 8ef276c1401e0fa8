// loss = mean_i (lse_i - logits[i, i + offset]), dlogits = dloss / rows (softmax - own column):
// InfoNCE's cross entropy. Forward 4 bytes a logit, backward 8: bound by memory.
#include "cuda/lib/log_sum.cuh"

namespace {
using chl::LOSS_THREADS;

SIMT_KERNEL((LOSS_THREADS), row_losses, const float *logits, int64_t columns, int64_t offset,
            float *each, float *lse, bool add) {
    const int64_t row = blockIdx.x;
    const float *x = logits + row * columns;
    chl::running_sum own;
    for (int64_t i = threadIdx.x; i < columns; i += LOSS_THREADS) own.add(x[i]);
    const float log_sum = chl::block_log_sum<LOSS_THREADS>(own);
    if (threadIdx.x > 0) return;
    each[row] = log_sum - x[row + offset];
    if (lse) chl::put(lse + row, log_sum, add);
}

struct slope {
    const float *dloss, *logits, *lse;
    float *dlogits;
    int64_t rows, columns, offset;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        const float share = *dloss / float(rows);
        float v[N];
        chl::load(logits + i, v);
        int64_t row = i / columns, column = i - row * columns;
        for (int k = 0; k < N; k++) {
            v[k] = share * (expf(v[k] - lse[row]) - (column == row + offset ? 1.0f : 0.0f));
            if (++column < columns) continue;
            column = 0;
            row++;
        }
        chl::store(dlogits + i, v, add);
    }
};

size_t workspace(const chl_call *call) {
    return size_t(call->in_desc[0].dim[0]) * sizeof(float);
}

chl_kernel_status forward(const chl_call *call) {
    const int64_t rows = call->in_desc[0].dim[0], columns = call->in_desc[0].dim[1];
    float *each = static_cast<float *>(call->workspace);
    if (rows == 0) return CHL_KERNEL_OK;
    float *lse = call->outputs > 1 ? chl::out<float>(call, 1) : nullptr;
    const int64_t offset = call->attr.loss.offset;
    const chl_kernel_status status = chl::status(
        simt::launch(row_losses, {dim3(unsigned(rows)), dim3(LOSS_THREADS)}, call->stream,
                     chl::in<float>(call, 0), columns, offset, each, lse, chl::adds(call, 1)));
    return status == CHL_KERNEL_OK ? chl::mean_of_rows(call, each, rows) : status;
}

chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    const slope f = {chl::in<float>(call, 0),  chl::in<float>(call, 1), chl::in<float>(call, 2),
                     chl::out<float>(call, 0), call->in_desc[1].dim[0], call->in_desc[1].dim[1],
                     call->attr.loss.offset,   chl::adds(call, 0)};
    return chl::each<float>(call, f.rows * f.columns, f);
}
} // namespace

const chl_body chl_cuda_cross_entropy = {forward, workspace, nullptr};
const chl_body chl_cuda_cross_entropy_dx = {backward, nullptr, nullptr};
