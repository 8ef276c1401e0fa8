// Small products of a bf16 linear layer with the GELU that follows or precedes them, as CLIP has
// them (kernels/fusion_table.h): y = x w^T + b and f(y); back, f'(y) (dy w). They are the modulated
// convolution's product, of one tap and without a style; the activation is the end of its tiles: a
// launch and a pass of 2 (forward) or 4 bytes an element less. 2 rows in out FLOPs, bound by the
// bytes of w for some 50 rows, and there by how many of them are on their way: tiles of 64 x 32 are
// 96 blocks for 3072 columns, and no terms are divided, for that would take a second launch. Only
// small products (chl_small_linear): cuBLASLt's are faster where there are FLOPs enough.
#include "cuda/lib/activation.cuh"
#include "cuda/lib/fused.h"
#include "cuda/lib/gate.cuh"
#include "cuda/modconv/ampere.cuh"
#include "fusion.h"

namespace {
using namespace modconv;
using chl::bf16;

template <chl_activation KIND> struct bent {
    static constexpr int KEEP = 1, SUMS = 0; // the bias
    static constexpr bool FORWARD = true, BACKWARD = false;
    const float *b;
    float gain, bias_gain, slope;
    bf16 *x, *y; // the product; the activation's result
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        for (int e = 0; e < N; e++) keep[0][e] = b ? bias_gain * b[column + e] : 0;
    }
    template <int N>
    __device__ void value(const place &p, const float (&keep)[1][N], float (&v)[N],
                          float (&)[1][N]) const {
        for (int e = 0; e < N; e++) v[e] = gain * v[e] + keep[0][e];
        chl::store(x + p.at, v, false);
        for (int e = 0; e < N; e++) {
            bf16 rounded;
            v[e] = activation::value<KIND>(gate::keep(&rounded, v[e]), slope);
        }
        chl::store(y + p.at, v, false);
    }
};
template <chl_activation KIND> struct bent_back {
    static constexpr int KEEP = 0, SUMS = 0;
    static constexpr bool FORWARD = false, BACKWARD = true;
    float gain, slope;
    const bf16 *x;
    bf16 *dx;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void value(const place &p, const float (&)[1][N], float (&v)[N],
                          float (&)[1][N]) const {
        float here[N];
        chl::load(x + p.at, here);
        for (int e = 0; e < N; e++) v[e] *= gain * activation::derivative<KIND>(here[e], slope);
        chl::store(dx + p.at, v, add);
    }
};

// call: a linear, x w b? packed, or a linear_dx, dy w packed. The rows are a picture of one row.
gather gather_of(const chl_call *call, bool turned) {
    const int64_t *w = call->in_desc[1].dim;
    const int in = int(w[turned ? 0 : 1]), out = int(w[turned ? 1 : 0]);
    const int rows = int(chl_count(&call->in_desc[0]) / in);
    gather g = {1, 1, rows, in, 1, rows, out, 1, 1, 1, 0, 0, 1, {}};
    g.phase[0] = {1, 1, rows, 0, 0, 0, {}};
    g.turned = turned;
    g.stored = 1;
    return g;
}
template <class F> chl_kernel_status multiply(const chl_call *call, int packed, const F &f) {
    gather g = gather_of(call, F::BACKWARD);
    const bf16 *x = chl::in<bf16>(call, 0), *w = chl::in<bf16>(call, packed);
    lay_tiles(g, 128, 64);
    if (int64_t(blocks_of(g)) >= chl::gpu.fill)
        return launch_tiles<128, 64, 32, 32>(call, g, x, nullptr, w, f, nullptr);
    lay_tiles(g, 64, 32);
    return launch_tiles<64, 32, 32, 16>(call, g, x, nullptr, w, f, nullptr);
}

template <chl_activation KIND> chl_kernel_status forward_kind(const chl_call *call) {
    return multiply(call, 3,
                    bent<KIND>{chl::in<float>(call, 2), call->attr.linear.gain,
                               call->attr.linear.bias_gain, call[1].attr.activation.slope,
                               chl::out<bf16>(call, 0), chl::out<bf16>(call + 1, 0)});
}
template <chl_activation KIND> chl_kernel_status backward_kind(const chl_call *call) {
    return multiply(call, 2,
                    bent_back<KIND>{call->attr.linear.gain, call[1].attr.activation.slope,
                                    chl::in<bf16>(call + 1, 1), chl::out<bf16>(call + 1, 0),
                                    chl::adds(call + 1, 0)});
}
// call: linear activation
chl_kernel_status forward(const chl_call *call) {
    return call[1].attr.activation.kind == CHL_GELU ? forward_kind<CHL_GELU>(call)
                                                    : forward_kind<CHL_QUICK_GELU>(call);
}
// call: linear_dx activation_dx
chl_kernel_status backward(const chl_call *call) {
    return call[1].attr.activation.kind == CHL_GELU ? backward_kind<CHL_GELU>(call)
                                                    : backward_kind<CHL_QUICK_GELU>(call);
}
} // namespace

const chl_fused_body chl_cuda_linear_activation = {forward, nullptr, chl_linear_activation_fits};
const chl_fused_body chl_cuda_linear_dx_activation = {backward, nullptr,
                                                      chl_linear_dx_activation_fits};
