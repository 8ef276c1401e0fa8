// loss = mean_i KL(softmax(p_i / tau) || softmax(q_i / tau)),
// dq = dloss (softmax(q / tau) - softmax(p / tau)) / (rows tau). A block per row of the batch's
// similarities, which it reads twice, the second time from the cache: 8 bytes a pair forward, 12
// backward, bound by memory.
#include "cuda/lib/log_sum.cuh"

namespace {
using chl::LOSS_THREADS;

struct rows {
    const float *p, *q;
    int64_t columns;
    float scale; // 1 / tau
};
struct log_sums {
    float p, q;
};
__device__ inline log_sums log_sums_of(const rows &r) {
    const float *p = r.p + blockIdx.x * r.columns, *q = r.q + blockIdx.x * r.columns;
    chl::running_sum own_p, own_q;
    for (int64_t i = threadIdx.x; i < r.columns; i += LOSS_THREADS) {
        own_p.add(r.scale * p[i]);
        own_q.add(r.scale * q[i]);
    }
    const float sum_p = chl::block_log_sum<LOSS_THREADS>(own_p);
    return {sum_p, chl::block_log_sum<LOSS_THREADS>(own_q)};
}

SIMT_KERNEL((LOSS_THREADS), row_divergences, rows r, float *each) {
    const log_sums sums = log_sums_of(r);
    const float *p = r.p + blockIdx.x * r.columns, *q = r.q + blockIdx.x * r.columns;
    float divergence = 0;
    for (int64_t i = threadIdx.x; i < r.columns; i += LOSS_THREADS) {
        const float log_p = r.scale * p[i] - sums.p, log_q = r.scale * q[i] - sums.q;
        divergence += expf(log_p) * (log_p - log_q);
    }
    divergence = chl::block_sum<LOSS_THREADS>(divergence);
    if (threadIdx.x == 0) each[blockIdx.x] = divergence;
}

SIMT_KERNEL((LOSS_THREADS), row_slopes, rows r, const float *dloss, float *dq, bool add) {
    const log_sums sums = log_sums_of(r);
    const float share = *dloss * r.scale / float(gridDim.x);
    const int64_t row = blockIdx.x * r.columns;
    for (int64_t i = row + threadIdx.x; i < row + r.columns; i += LOSS_THREADS)
        chl::put(dq + i,
                 share * (expf(r.scale * r.q[i] - sums.q) - expf(r.scale * r.p[i] - sums.p)), add);
}

rows rows_of(const chl_call *call, int p) {
    return {chl::in<float>(call, p), chl::in<float>(call, p + 1), call->in_desc[p].dim[1],
            1 / call->attr.loss.tau};
}

size_t workspace(const chl_call *call) {
    return size_t(call->in_desc[0].dim[0]) * sizeof(float);
}
chl_kernel_status forward(const chl_call *call) {
    const int64_t count = call->in_desc[0].dim[0];
    float *each = static_cast<float *>(call->workspace);
    if (count == 0) return CHL_KERNEL_OK;
    const chl_kernel_status status =
        chl::status(simt::launch(row_divergences, {dim3(unsigned(count)), dim3(LOSS_THREADS)},
                                 call->stream, rows_of(call, 0), each));
    return status == CHL_KERNEL_OK ? chl::mean_of_rows(call, each, count) : status;
}
chl_kernel_status backward(const chl_call *call) {
    const int64_t count = call->in_desc[1].dim[0];
    if (!call->out[0] || count == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(row_slopes, {dim3(unsigned(count)), dim3(LOSS_THREADS)},
                                    call->stream, rows_of(call, 1), chl::in<float>(call, 0),
                                    chl::out<float>(call, 0), chl::adds(call, 0)));
}
} // namespace

const chl_body chl_cuda_kl_divergence = {forward, workspace, nullptr};
const chl_body chl_cuda_kl_divergence_dq = {backward, nullptr, nullptr};
