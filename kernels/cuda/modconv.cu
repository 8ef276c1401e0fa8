// The modulated convolution with activations scaled instead of weights:
//     y = clamp(gain * lrelu(d * conv(x * s, w) + strength * noise + b))
// s multiplies where the product reads x, everything behind the convolution runs where it writes y.
// The data gradient's kernel sums the style gradient ds[n,i] = sum over pixels of x * dgrad while
// it writes dx = s * dgrad: backward costs one convolution. Derivations, tiling and figures:
// docs/kernels/modulated-convolution.md.
#include "modconv_fir.cuh"
#include "modconv_hopper.cuh"

namespace {
using namespace modconv;

bool empty(const chl_conv_attributes &a) {
    return a.n == 0 || a.h == 0 || a.w == 0 || a.i == 0 || a.o == 0;
}
int64_t z_count(const chl_conv_attributes &a) {
    return a.up ? int64_t(a.n) * (2 * a.h + 1) * (2 * a.w + 1) * a.o : 0;
}
template <class Space> size_t space_of(const chl_call *call) {
    chl::room room = {nullptr};
    if (call->in_desc[0].dtype == CHL_BF16)
        typename Space::template of<chl::bf16>(call, room);
    else
        typename Space::template of<float>(call, room);
    return room.used;
}

// --- how a product is computed: tiles, and memory for parts and for sums over pixels -------------
template <class T> tile_kind lay(gather &g) {
    if (sizeof(T) == 2 && g.in_c % 8 == 0 && g.out_c % 8 == 0) {
        const tile_kind kind = lay_hopper_tiles(g);
        return kind == PLAIN_TILES ? lay_tensor_tiles(g) : kind;
    }
    lay_tiles(g, PLAIN, PLAIN);
    return PLAIN_TILES;
}
chl::view results_of(const gather &g) {
    return {g.n, int64_t(g.out_h) * g.out_w, g.out_c};
}
template <class T> struct product_space {
    float *parts, *sums;
    product_space(gather g, bool summed, chl::room &room) {
        lay<T>(g);
        const chl_dtype type = sizeof(T) == 2 ? CHL_BF16 : CHL_F32;
        parts = room.take<float>(g.splits > 1 ? g.splits * result_count(g) : 0);
        const int64_t own = int64_t(g.n) * g.tiles * g.out_c;
        const int64_t added =
            int64_t(chl::columns_workspace(results_of(g), type, 1) / sizeof(float));
        sums = room.take<float>(!summed ? 0 : g.splits > 1 ? added : own);
    }
};
struct operands {
    const void *x;
    const float *style, *w;
    const void *packed; // gain * w as bf16 [O,9,I]
    bool turned;        // data gradient: the matrix of a tap is [O,I], not [I,O]
    float gain;
};
template <class T, class F>
chl_status one_product(const chl_call *call, tile_kind kind, const gather &g, const operands &from,
                       const F &f, float *sums) {
    const T *x = static_cast<const T *>(from.x);
    if constexpr (sizeof(T) == 2) {
        const T *packed = static_cast<const T *>(from.packed);
        if (kind == WIDE_BOXES || kind == TALL_BOXES)
            return run_boxes(call, kind, g, x, from.style, packed, f, sums);
        if (kind != PLAIN_TILES) return run_tiles(call, kind, g, x, from.style, packed, f, sums);
    }
    const int64_t taps = 9, in = from.turned ? g.out_c : g.in_c;
    const plain_weights w = {from.w, from.turned ? in * taps : taps, from.turned ? taps : in * taps,
                             from.gain};
    return run_plain(call, g, x, from.style, w, f, sums);
}
template <class T, class F>
chl_status product(const chl_call *call, gather g, const operands &from, const F &f,
                   const product_space<T> &room) {
    const tile_kind kind = lay<T>(g);
    chl_status status;
    if (g.splits > 1) {
        status = one_product<T>(call, kind, g, from, keep_result<float>{room.parts}, nullptr);
        if (status != CHL_OK) return status;
        return chl::columns<T>(call, results_of(g),
                               from_parts<F>{f, room.parts, result_count(g), g.splits}, room.sums);
    }
    status = one_product<T>(call, kind, g, from, f, room.sums);
    if constexpr (F::SUMS > 0) {
        if (status == CHL_OK && f.summed())
            status = chl::finish_columns(call, g.n, g.out_c, g.tiles, room.sums, f);
    }
    return status;
}

// --- modconv: x w packed s d? noise? strength? b? -> y -------------------------------------------
gather forward_gather_of(const chl_conv_attributes &a) {
    return a.up ? up_gather(a) : forward_gather(a);
}
struct forward_space {
    template <class T> struct of {
        T *z;
        product_space<T> product;
        of(const chl_call *call, chl::room &room)
            : z(room.take<T>(z_count(call->attr.conv))),
              product(forward_gather_of(call->attr.conv), false, room) {}
    };
};
template <class T> activate<T> activation_of(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    activate<T> f = {};
    f.d = chl::in<float>(call, 4);
    f.strength = chl::in<float>(call, 6);
    f.noise = f.strength ? chl::in<float>(call, 5) : nullptr;
    const int64_t pixels = int64_t(a.h) * a.w * (a.up ? 4 : 1);
    f.noise_step = call->in_desc[5].rank == 3 ? pixels : 0;
    f.b = chl::in<float>(call, 7);
    f.channels = a.o;
    f.slope = a.slope;
    f.gain = a.act_gain;
    f.clamp = a.clamp;
    f.y = chl::out<T>(call, 0);
    f.add = chl::adds(call, 0);
    return f;
}
template <class T> chl_status forward_in(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    chl::room memory = {call->workspace};
    const forward_space::of<T> room(call, memory);
    const operands from = {
        call->in[0], chl::in<float>(call, 3), chl::in<float>(call, 1), call->in[2], false, a.gain};
    const gather g = forward_gather_of(a);
    if (!a.up) return product(call, g, from, activation_of<T>(call), room.product);
    const chl_status status = product(call, g, from, keep_result<T>{room.z}, room.product);
    if (status != CHL_OK) return status;
    return run_fir(call, fir_forward(a), room.z, activation_of<T>(call));
}
chl_status forward(const chl_call *call) {
    if (!call->out[0] || empty(call->attr.conv)) return CHL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call); });
}

// --- modconv_dx: g w packed s x? -> dx ds --------------------------------------------------------
gather gradient_gather(const chl_conv_attributes &a) {
    return a.up ? up_dx_gather(a) : dx_gather(a);
}
struct dx_space {
    template <class T> struct of {
        T *dz;
        product_space<T> product;
        of(const chl_call *call, chl::room &room)
            : dz(room.take<T>(z_count(call->attr.conv))),
              product(gradient_gather(call->attr.conv), true, room) {}
    };
};
// the filter's transpose: z's gradient, or g itself
template <class T> chl_status spread(const chl_call *call, T *dz, const T **from) {
    const chl_conv_attributes &a = call->attr.conv;
    const T *g = chl::in<T>(call, 0);
    *from = a.up ? dz : g;
    return a.up ? run_fir(call, fir_backward(a), g, keep_result<T>{dz}) : CHL_OK;
}
template <class T> chl_status dx_in(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    chl::room memory = {call->workspace};
    const dx_space::of<T> room(call, memory);
    const T *g;
    const chl_status spreading = spread(call, room.dz, &g);
    if (spreading != CHL_OK) return spreading;
    gradient<T> f = {};
    f.x = chl::in<T>(call, 4);
    f.s = chl::in<float>(call, 3);
    f.dx = chl::out<T>(call, 0);
    f.ds = f.x ? chl::out<float>(call, 1) : nullptr;
    f.channels = a.i;
    f.add = chl::adds(call, 0);
    f.add_ds = chl::adds(call, 1);
    const operands from = {g, nullptr, chl::in<float>(call, 1), call->in[2], true, a.gain};
    return product(call, gradient_gather(a), from, f, room.product);
}
chl_status dx(const chl_call *call) {
    if (empty(call->attr.conv)) return CHL_OK;
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
    const int64_t pixels = int64_t(a.n) * a.h * a.w, most = pixels / 256;
    int64_t parts = 132 * 4 / tiles;
    parts = parts > most ? most : parts;
    z.parts = int(parts < 1 ? 1 : parts);
    return z;
}
struct dw_space {
    template <class T> struct of {
        T *dz;
        float *parts;
        of(const chl_call *call, chl::room &room) {
            const chl_conv_attributes &a = call->attr.conv;
            dz = room.take<T>(z_count(a));
            parts = room.take<float>(int64_t(weight_method(a).parts) * 9 * a.o * a.i);
        }
    };
};
template <class T>
chl_status correlate(const chl_call *call, const correlation &z, const T *g, const T *x,
                     const float *style, float *parts) {
    if constexpr (sizeof(T) == 2)
        if (z.in_c % 8 == 0 && z.out_c % 8 == 0)
            return run_tile_correlation(call, z, g, x, style, parts);
    return run_plain_correlation(call, z, g, x, style, parts);
}
template <class T> chl_status dw_in(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    chl::room memory = {call->workspace};
    const dw_space::of<T> room(call, memory);
    const T *g;
    chl_status status = spread(call, room.dz, &g);
    const correlation z = weight_method(a);
    if (status == CHL_OK)
        status = correlate(call, z, g, chl::in<T>(call, 1), chl::in<float>(call, 2), room.parts);
    if (status != CHL_OK) return status;
    const int64_t pairs = int64_t(a.o) * a.i;
    return chl::each<float>(call, 9 * pairs,
                            weight_sum{room.parts, chl::out<float>(call, 0), pairs, z.parts, a.gain,
                                       chl::adds(call, 0)});
}
chl_status dw(const chl_call *call) {
    if (!call->out[0] || empty(call->attr.conv)) return CHL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return dw_in<decltype(zero)>(call); });
}
} // namespace

const chl_body chl_cuda_modconv = {forward, space_of<forward_space>, nullptr};
const chl_body chl_cuda_modconv_dx = {dx, space_of<dx_space>, nullptr};
const chl_body chl_cuda_modconv_dw = {dw, space_of<dw_space>, nullptr};
