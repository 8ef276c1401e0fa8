// modconv, modconv_dx, modconv_dw: the modulated convolution with activations scaled instead of
// weights,
//     y = clamp(gain * lrelu(d * conv(x * s, w) + strength * noise + b))
// The product multiplies by s where it reads x and applies everything after the convolution where
// it writes y. The data gradient's kernel sums the style gradient ds[n,i] = sum over pixels of x *
// dgrad while it writes dx = s * dgrad: the backward costs one convolution. README.md says which
// kernel computes what; derivations, tiling and figures are in
// docs/kernels/modulated-convolution.md.
#include "cuda/modconv/data_gradient.cuh"
#include "cuda/modconv/weight_gradient.cuh"

namespace {
using namespace modconv;

// --- modconv: x w packed s d? noise? strength? b? -> y -------------------------------------------
gather forward_gather_of(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    gather g = a.up ? up_gather(a) : forward_gather(a);
    g.path = call->path;
    return g;
}
template <class T> bool filter_on_tile(const chl_conv_attributes &a, gather &g) {
    return a.up && sizeof(T) == 2 && !wishes_product<T>(g) && lay_up_tiles(g);
}
template <class T> int32_t forward_path_in(const chl_call *call) {
    gather g = forward_gather_of(call);
    return filter_on_tile<T>(call->attr.conv, g) ? FILTERED : lay<T>(g);
}
int32_t forward_path(const chl_call *call) {
    return call->in_desc[0].dtype == CHL_BF16 ? forward_path_in<chl::bf16>(call)
                                              : forward_path_in<float>(call);
}
struct forward_space {
    template <class T> struct of {
        T *z = nullptr;
        product_space<T> product;
        of(const chl_call *call, chl::workspace_cursor &cursor) {
            gather g = forward_gather_of(call);
            if (filter_on_tile<T>(call->attr.conv, g)) return;
            z = cursor.take<T>(z_count(call->attr.conv));
            product = product_space<T>(g, 0, cursor);
        }
    };
};
template <class T> activate<T> activation_of(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    return {layer_of(call, 4, int64_t(a.h) * a.w * (a.up ? 4 : 1)), chl::out<T>(call, 0),
            chl::adds(call, 0)};
}
template <class T> chl_kernel_status forward_in(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    chl::workspace_cursor cursor = {call->workspace};
    const forward_space::of<T> buffers(call, cursor);
    const operands from = {call->in[0], chl::in<float>(call, 3), chl::in<float>(call, 1),
                           call->in[2], a.gain};
    gather g = forward_gather_of(call);
    if constexpr (sizeof(T) == 2)
        if (filter_on_tile<T>(a, g))
            return run_up_tiles(call, g, chl::in<T>(call, 0), from.style, chl::in<T>(call, 2),
                                activation_of<T>(call));
    if (!a.up) return product(call, g, from, activation_of<T>(call), buffers.product);
    const chl_kernel_status status =
        product(call, g, from, keep_result<T>{buffers.z}, buffers.product);
    if (status != CHL_KERNEL_OK) return status;
    return run_fir(call, fir_forward(a), buffers.z, activation_of<T>(call));
}
chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0] || empty(call->attr.conv)) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call); });
}

// --- modconv_dx: g w packed s x? -> dx ds --------------------------------------------------------
template <class T> chl_kernel_status dx_in(const chl_call *call) {
    gradient<T> f = {};
    f.x = chl::in<T>(call, 4);
    f.s = chl::in<float>(call, 3);
    f.dx = chl::out<T>(call, 0);
    f.ds = f.x ? chl::out<float>(call, 1) : nullptr;
    f.channels = call->attr.conv.i;
    f.add = chl::adds(call, 0);
    f.add_ds = chl::adds(call, 1);
    return data_gradient<T>(call, f);
}
chl_kernel_status dx(const chl_call *call) {
    if (empty(call->attr.conv)) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return dx_in<decltype(zero)>(call); });
}

// --- modconv_dw: g x s -> dw ---------------------------------------------------------------------
struct weight_sum {
    const float *parts;
    float *dw;
    int64_t pairs; // O * I
    int count;
    float gain;
    bool add;
    template <int N> __device__ void at(int64_t i) const {
        float sum[N] = {};
        for (int e = 0; e < N; e++) {
            for (int64_t p = 0; p < count; p++)
                sum[e] += parts[(p * 9 + (i + e) % 9) * pairs + (i + e) / 9];
            sum[e] *= gain;
        }
        chl::store(dw + i, sum, add);
    }
};
correlation weight_method(const chl_conv_attributes &a) {
    correlation z = correlation_of(a);
    const int64_t tiles = 9 * ((a.i + DW - 1) / DW) * ((a.o + DW - 1) / DW);
    const int64_t pixels = int64_t(a.n) * a.h * a.w, max_parts = pixels / 256;
    int64_t parts = 132 * 4 / tiles;
    parts = parts > max_parts ? max_parts : parts;
    z.parts = int(parts < 1 ? 1 : parts);
    return z;
}
struct dw_space {
    template <class T> struct of {
        T *dz;
        float *parts;
        of(const chl_call *call, chl::workspace_cursor &cursor) {
            const chl_conv_attributes &a = call->attr.conv;
            dz = cursor.take<T>(z_count(a));
            parts = cursor.take<float>(int64_t(weight_method(a).parts) * 9 * a.o * a.i);
        }
    };
};
template <class T> chl_kernel_status dw_in(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    chl::workspace_cursor cursor = {call->workspace};
    const dw_space::of<T> buffers(call, cursor);
    const T *g;
    chl_kernel_status status = spread(call, buffers.dz, &g);
    const correlation z = weight_method(a);
    if (status == CHL_KERNEL_OK)
        status = correlate(call, z, g, chl::in<T>(call, 1), chl::in<float>(call, 2), buffers.parts);
    if (status != CHL_KERNEL_OK) return status;
    const int64_t pairs = int64_t(a.o) * a.i;
    return chl::each<float>(call, 9 * pairs,
                            weight_sum{buffers.parts, chl::out<float>(call, 0), pairs, z.parts,
                                       a.gain, chl::adds(call, 0)});
}
chl_kernel_status dw(const chl_call *call) {
    if (!call->out[0] || empty(call->attr.conv)) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return dw_in<decltype(zero)>(call); });
}
} // namespace

const chl_paths chl_cuda_modconv_paths = {TILE_PATHS, forward_path};
const chl_paths chl_cuda_modconv_dx_paths = {TILE_PATHS, gradient_path};

const chl_body chl_cuda_modconv = {forward, space_of<forward_space>, nullptr};
const chl_body chl_cuda_modconv_dx = {dx, space_of<gradient_space<1>>, nullptr};
const chl_body chl_cuda_modconv_dw = {dw, space_of<dw_space>, nullptr};
