// d[n,o] = 1 / sqrt(gain^2 sum_i s[n,i]^2 q[o,i] + eps). With t[n,o] = -gain^2 dd d^3 the gradients
// are ds[n,i] = s[n,i] sum_o t[n,o] q[o,i] and dq[o,i] = 1/2 sum_n t[n,o] s[n,i]^2. q (1 MB at 512
// x 512) is read once per sample, from the L2 cache: bound by latency.
#include "cuda/lib/reduce.cuh"

namespace {
constexpr int THREADS = 256, WARPS = THREADS / 32;

// one warp computes one number of d
SIMT_KERNEL((THREADS), demodulate, const float *s, const float *q, float *d, int64_t inputs,
            int64_t outputs, int64_t count, float gain, float eps, bool add) {
    const int64_t at = int64_t(blockIdx.x) * WARPS + int(threadIdx.x) / 32;
    if (at >= count) return;
    const float *style = s + at / outputs * inputs, *square = q + at % outputs * inputs;
    float sum = 0;
    for (int64_t i = int(threadIdx.x) % 32; i < inputs; i += 32)
        sum += style[i] * style[i] * square[i];
    sum = simt::warp_sum(sum);
    if (threadIdx.x % 32 == 0) chl::put(d + at, 1 / sqrtf(gain * gain * sum + eps), add);
}

// t[n,o]
struct slope {
    const float *dd, *d;
    int64_t outputs;
    float gain;
    __device__ float of(int64_t n, int64_t o) const {
        const float root = d[n * outputs + o];
        return -gain * gain * dd[n * outputs + o] * root * root * root;
    }
};

struct to_style {
    static constexpr int KEEP = 0, SUMS = 1;
    slope t;
    const float *s, *q;
    float *ds;
    int64_t inputs;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&sum)[1][N]) const {
        float v[N];
        chl::load_floats(q + p.row * inputs + p.column, v);
        const float factor = t.of(p.group, p.row);
        for (int e = 0; e < N; e++) sum[0][e] += factor * v[e];
    }
    __device__ void finish(int64_t n, int64_t i, const float (&total)[1]) const {
        chl::put(ds + n * inputs + i, s[n * inputs + i] * total[0], add);
    }
};

struct to_square {
    slope t;
    const float *s;
    float *dq;
    int64_t samples, inputs;
    bool add;
    template <int N> __device__ void at(int64_t at) const {
        float sum[N] = {};
        for (int e = 0; e < N; e++) {
            const int64_t o = (at + e) / inputs, i = (at + e) % inputs;
            for (int64_t n = 0; n < samples; n++)
                sum[e] += 0.5f * t.of(n, o) * s[n * inputs + i] * s[n * inputs + i];
        }
        chl::store(dq + at, sum, add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    const int64_t count = chl_count(&call->out_desc[0]);
    if (!call->out[0] || count == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(
        demodulate, {dim3(unsigned((count + WARPS - 1) / WARPS)), dim3(THREADS)}, call->stream,
        chl::in<float>(call, 0), chl::in<float>(call, 1), chl::out<float>(call, 0),
        call->in_desc[0].dim[1], call->in_desc[1].dim[0], count, call->attr.demodulate.gain,
        call->attr.demodulate.eps, chl::adds(call, 0)));
}

chl::view products(const chl_call *call) {
    return {call->in_desc[2].dim[0], call->in_desc[3].dim[0], call->in_desc[2].dim[1]};
}
size_t backward_workspace(const chl_call *call) {
    return chl::columns_workspace(products(call), CHL_F32, 1);
}
chl_kernel_status backward(const chl_call *call) {
    const chl::view v = products(call);
    const slope t = {chl::in<float>(call, 0), chl::in<float>(call, 1), v.rows,
                     call->attr.demodulate.gain};
    const float *s = chl::in<float>(call, 2), *q = chl::in<float>(call, 3);
    if (call->out[0]) {
        const chl_kernel_status status = chl::columns<float>(
            call, v, to_style{t, s, q, chl::out<float>(call, 0), v.width, chl::adds(call, 0)},
            static_cast<float *>(call->workspace));
        if (status != CHL_KERNEL_OK) return status;
    }
    if (!call->out[1]) return CHL_KERNEL_OK;
    return chl::each<float>(
        call, v.rows * v.width,
        to_square{t, s, chl::out<float>(call, 1), v.groups, v.width, chl::adds(call, 1)});
}
} // namespace

const chl_body chl_cuda_demodulate = {forward, nullptr, nullptr};
const chl_body chl_cuda_demodulate_backward = {backward, backward_workspace, nullptr};
