// 3 x 3 convolutions in bf16 with the calls that follow them (kernels/fusion_table.h), as IR-SE50
// has them: PReLU; the norm in front of a gate, with its sums over the pixels; back, PReLU's
// gradient, and the norm's with the sums of a unit's gradient (lib/squeeze.cuh). The products are
// the modulated convolution's without a style, the rest is the end of their tiles: a pass of 4 to 8
// bytes an element less, and a launch where the terms are not divided among blocks. Only small
// products (chl_small_conv): cuDNN's are faster where there are FLOPs enough.
#include "cuda/lib/squeeze.cuh"
#include "cuda/modconv/product.cuh"

namespace {
using namespace modconv;
using chl::bf16;

// --- what becomes of the results -----------------------------------------------------------------
struct bent {
    static constexpr int KEEP = 1, SUMS = 0;
    static constexpr bool FORWARD = true, BACKWARD = false;
    const float *slope;
    bf16 *x, *y; // the convolution's result; PReLU's
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_floats(slope + column, keep[0]);
    }
    template <int N>
    __device__ void value(const place &p, const float (&keep)[1][N], float (&v)[N],
                          float (&)[1][N]) const {
        chl::store(x + p.at, v, false);
        for (int e = 0; e < N; e++) {
            bf16 rounded;
            v[e] = gate::keep(&rounded, v[e]);
            v[e] = v[e] > 0 ? v[e] : v[e] * keep[0][e];
        }
        chl::store(y + p.at, v, false);
    }
};
struct bent_back {
    static constexpr int KEEP = 1, SUMS = 0;
    static constexpr bool FORWARD = false, BACKWARD = true;
    const float *slope;
    const bf16 *x;
    bf16 *dx;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_floats(slope + column, keep[0]);
    }
    template <int N>
    __device__ void value(const place &p, const float (&keep)[1][N], float (&v)[N],
                          float (&)[1][N]) const {
        float here[N];
        chl::load(x + p.at, here);
        for (int e = 0; e < N; e++) v[e] *= here[e] > 0 ? 1 : keep[0][e];
        chl::store(dx + p.at, v, add);
    }
};
struct squeezed : squeeze::normalised_sum<bf16> {
    static constexpr bool FORWARD = true, BACKWARD = false;
    bf16 *x; // the convolution's result
    squeezed(const squeeze::normalised_sum<bf16> &f, bf16 *result)
        : squeeze::normalised_sum<bf16>(f), x(result) {}
    template <int N>
    __device__ void value(const place &p, const float (&keep)[3][N], float (&v)[N],
                          float (&sum)[1][N]) const {
        chl::store(x + p.at, v, false);
        for (int e = 0; e < N; e++) {
            bf16 rounded;
            v[e] = gate::keep(&rounded, v[e]);
        }
        pass<N>(p, keep, v, sum);
    }
};
struct unit_total : squeeze::total_sum<bf16> {
    static constexpr bool FORWARD = false, BACKWARD = true;
    explicit unit_total(const squeeze::total_sum<bf16> &f) : squeeze::total_sum<bf16>(f) {}
    template <int N>
    __device__ void value(const place &p, const float (&keep)[1][N], float (&v)[N],
                          float (&sum)[1][N]) const {
        pass<N>(p, keep, v, sum);
    }
};

// --- bodies --------------------------------------------------------------------------------------
// call: a conv, x w packed, or a conv_dx, dy w packed
template <class F> gather gather_of(const chl_call *call) {
    return F::BACKWARD ? conv_dx_gather(call->attr.conv) : conv_gather(call->attr.conv);
}
template <class F> product_space<bf16> buffers_of(const chl_call *call, size_t *used) {
    chl::workspace_cursor cursor = {call->workspace};
    const product_space<bf16> buffers(gather_of<F>(call), F::SUMS, cursor);
    *used = cursor.used;
    return buffers;
}
template <class F> size_t workspace(const chl_call *call) {
    size_t used;
    (void)buffers_of<F>(call, &used);
    return used;
}
// Leaves F's sums in *sums, [samples, *parts, channels].
template <class F>
chl_kernel_status convolve(const chl_call *call, const F &f, float **sums, int64_t *parts) {
    size_t used;
    const product_space<bf16> buffers = buffers_of<F>(call, &used);
    const operands from = {call->in[0], nullptr, chl::in<float>(call, 1), call->in[2],
                           call->attr.conv.gain};
    *sums = buffers.sums;
    return product_parts(call, gather_of<F>(call), from, f, buffers, parts);
}

// call: conv prelu
chl_kernel_status run_bent(const chl_call *call) {
    float *sums;
    int64_t parts;
    return convolve(
        call,
        bent{chl::in<float>(call + 1, 1), chl::out<bf16>(call, 0), chl::out<bf16>(call + 1, 0)},
        &sums, &parts);
}
// call: conv_dx prelu_backward
chl_kernel_status run_bent_back(const chl_call *call) {
    float *sums;
    int64_t parts;
    return convolve(call,
                    bent_back{chl::in<float>(call + 1, 2), chl::in<bf16>(call + 1, 1),
                              chl::out<bf16>(call + 1, 0), chl::adds(call + 1, 0)},
                    &sums, &parts);
}
// call: conv, then those of squeeze
chl_kernel_status run_squeezed(const chl_call *call) {
    float *sums;
    int64_t parts;
    const squeezed f(squeeze::normalised_sum_of<bf16>(call + 1), chl::out<bf16>(call, 0));
    const chl_kernel_status status = convolve(call, f, &sums, &parts);
    return status == CHL_KERNEL_OK ? squeeze::excite<bf16>(call + 1, sums, parts) : status;
}
// call: conv_dx, then those of unit_backward
chl_kernel_status run_unit(const chl_call *call) {
    float *sums;
    int64_t parts;
    const unit_total f(squeeze::total_sum_of<bf16>(call + 1));
    const chl_kernel_status status = convolve(call, f, &sums, &parts);
    return status == CHL_KERNEL_OK ? squeeze::unit_gradient<bf16>(call + 1, sums, parts) : status;
}
} // namespace

const chl_fused_body chl_cuda_conv_prelu = {run_bent, workspace<bent>, chl_conv_prelu_fits};
const chl_fused_body chl_cuda_conv_dx_prelu = {run_bent_back, workspace<bent_back>,
                                               chl_conv_dx_prelu_fits};
const chl_fused_body chl_cuda_conv_squeeze = {run_squeezed, workspace<squeezed>,
                                              chl_conv_squeeze_fits};
const chl_fused_body chl_cuda_conv_unit_backward = {run_unit, workspace<unit_total>,
                                                    chl_conv_unit_backward_fits};
