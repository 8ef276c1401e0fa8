// q[o,i] = sum over the kernel of w[o,i,:,:]^2, which demodulation reads instead of the weight; dw
// = 2 dq w. Bound by memory: reads w once (4 bytes a weight), the gradient writes as much.
#include "cuda/lib/body.h"

namespace {
struct squares {
    const float *w;
    float *q;
    int64_t taps;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        float sum[N] = {};
        const float *from = w + i * taps;
        for (int e = 0; e < N; e++)
            for (int64_t k = 0; k < taps; k++) sum[e] += from[e * taps + k] * from[e * taps + k];
        chl::store(q + i, sum, add);
    }
};

struct gradient {
    const float *dq, *w;
    float *dw;
    int64_t taps;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        chl::load(w + i, v);
        for (int e = 0; e < N; e++) v[e] *= 2 * dq[(i + e) / taps];
        chl::store(dw + i, v, add);
    }
};

int64_t taps_of(const chl_desc &w) {
    return w.dim[2] * w.dim[3];
}
chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::each<float>(call, chl_count(&call->out_desc[0]),
                            squares{chl::in<float>(call, 0), chl::out<float>(call, 0),
                                    taps_of(call->in_desc[0]), chl::adds(call, 0)});
}
chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::each<float>(call, chl_count(&call->out_desc[0]),
                            gradient{chl::in<float>(call, 0), chl::in<float>(call, 1),
                                     chl::out<float>(call, 0), taps_of(call->in_desc[1]),
                                     chl::adds(call, 0)});
}
} // namespace

const chl_body chl_cuda_weight_square = {forward, nullptr, nullptr};
const chl_body chl_cuda_weight_square_dw = {backward, nullptr, nullptr};
