// Fused sequences of calls around a modulated convolution (kernels/fusion_table.h). What one call
// would write for the next stays in registers:
//     modconv, torgb                       a tile's y gives the picture's colours before it is
//     stored modconv_dx, (torgb_backward,) modconv_epilogue_backward
//                                          the data gradient of a convolution reads x for ds; x is
//                                          the y of the layer below, and y is all that the
//                                          gradients through that layer's epilogue and through
//                                          ToRGB need
//     torgb_backward, modconv_epilogue_backward    the same for the last layer
// Only where the generator is not trained: gradients of noise strength, biases and ToRGB's weight
// would be four more sums. Bytes saved: docs/kernels/modulated-convolution.md.
#include "cuda/lib/fused.h"
#include "cuda/lib/torgb.cuh"
#include "cuda/lib/upsample.cuh"
#include "cuda/modconv/data_gradient.cuh"
#include "fusion.h"

namespace modconv {

// --- the gradient of a layer's result y, passed on through the layer's epilogue ------------------
// COLOURS: ToRGB reads y, too, and contributes to its gradient.
template <bool COLOURS> struct below {
    static constexpr int KEEP = layer::KEEP + (COLOURS ? torgb::GROUP : 0);
    // sums of dz * r; of drgb * y for each colour
    static constexpr int SUMS = 1 + (COLOURS ? torgb::GROUP : 0);
    layer of;
    torgb::colours rgb;
    float *dd, *ds; // ds: of ToRGB's style
    bool add_dd, add_ds;

    template <int N> __device__ void start(int64_t n, int64_t column, float (*keep)[N]) const {
        of.start<N>(n, column, keep);
        if constexpr (COLOURS) rgb.start<N>(n, column, keep + layer::KEEP);
    }
    // Turns dy, still without ToRGB's part, into g; overwrites y.
    template <int N>
    __device__ void pass(const place &p, const float (*keep)[N], float (&dy)[N], float (&y)[N],
                         float (*sum)[N]) const {
        if constexpr (COLOURS) rgb.at<N>(p, keep + layer::KEEP, y, dy, sum + 1);
        of.backward<N>(of.picture(p), keep, dy, y);
        for (int e = 0; e < N; e++) {
            sum[0][e] += dy[e] * y[e];
            dy[e] *= keep[0][e];
        }
    }
    __device__ void finish(int64_t n, int64_t column, const float *total) const {
        const int64_t at = n * of.channels + column;
        if (dd && of.d) chl::put(dd + at, total[0] / of.d[at], add_dd);
        if constexpr (COLOURS) {
            float sum = 0;
            for (int o = 0; o < torgb::GROUP; o++)
                sum += rgb.w[o * of.channels + column] * total[1 + o];
            if (ds) chl::put(ds + at, rgb.gain * sum, add_ds);
        }
    }
};
// rgb: the torgb_backward among the calls, or null
template <bool COLOURS> below<COLOURS> below_of(const chl_call *rgb, const chl_call *epilogue) {
    below<COLOURS> b = {};
    b.of = layer_behind(epilogue, 2, epilogue->in_desc[1]);
    b.dd = chl::out<float>(epilogue, 1);
    b.add_dd = chl::adds(epilogue, 1);
    if constexpr (COLOURS) {
        b.rgb = torgb::colours_of(rgb);
        b.ds = chl::out<float>(rgb, 1);
        b.add_ds = chl::adds(rgb, 1);
    }
    return b;
}
// --- modconv_dx, (torgb_backward,) modconv_epilogue_backward -------------------------------------
template <class T, bool COLOURS> struct gradient_below {
    typedef below<COLOURS> B;
    static constexpr int KEEP = 1 + B::KEEP, SUMS = 1 + B::SUMS; // s; the sum of x v
    static constexpr bool FORWARD = false, BACKWARD = true;
    B to;
    const T *x;
    const float *s;
    float *ds;
    T *g;
    bool add_ds;
    template <int N> __device__ void start(int64_t n, int64_t c, float (&keep)[KEEP][N]) const {
        chl::load_floats(s + n * to.of.channels + c, keep[0]);
        to.template start<N>(n, c, keep + 1);
    }
    template <int N>
    __device__ void value(const place &p, const float (&keep)[KEEP][N], float (&v)[N],
                          float (&sum)[SUMS][N]) const {
        float here[N];
        chl::load(x + p.at, here);
        for (int e = 0; e < N; e++) {
            sum[0][e] += here[e] * v[e];
            v[e] *= keep[0][e];
        }
        to.template pass<N>(p, keep + 1, v, here, sum + 1);
        chl::store(g + p.at, v, false);
    }
    bool summed() const { return true; }
    __device__ void finish(int64_t n, int64_t c, const float (&total)[SUMS]) const {
        if (ds) chl::put(ds + n * to.of.channels + c, total[0], add_ds);
        to.finish(n, c, total + 1);
    }
};
template <bool COLOURS> struct dx_below {
    static constexpr int LAST = COLOURS ? 2 : 1; // the epilogue's call
    static chl_kernel_status run(const chl_call *call) {
        return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
            using T = decltype(zero);
            const gradient_below<T, COLOURS> f = {below_of<COLOURS>(call + 1, call + LAST),
                                                  chl::in<T>(call + LAST, 1),
                                                  chl::in<float>(call, 3),
                                                  chl::out<float>(call, 1),
                                                  chl::out<T>(call + LAST, 0),
                                                  chl::adds(call, 1)};
            return data_gradient<T>(call, f);
        });
    }
    static size_t workspace(const chl_call *call) {
        return space_of<gradient_space<gradient_below<float, COLOURS>::SUMS>>(call);
    }
};

// --- torgb_backward, modconv_epilogue_backward ---------------------------------------------------
template <class T> struct last_gradient {
    typedef below<true> B;
    static constexpr int KEEP = B::KEEP, SUMS = B::SUMS;
    B to;
    const T *y;
    T *g;
    template <int N> __device__ void start(int64_t n, int64_t c, float (&keep)[KEEP][N]) const {
        to.start<N>(n, c, keep);
    }
    template <int N>
    __device__ void at(const place &p, const float (&keep)[KEEP][N], float (&sum)[SUMS][N]) const {
        float here[N], gradient[N] = {};
        chl::load(y + p.at, here);
        to.pass<N>(p, keep, gradient, here, sum);
        chl::store(g + p.at, gradient, false);
    }
    __device__ void finish(int64_t n, int64_t c, const float (&total)[SUMS]) const {
        to.finish(n, c, total);
    }
};
static chl_kernel_status run_last(const chl_call *call) {
    const chl_desc &y = call[1].in_desc[1];
    return chl::by_type(y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const last_gradient<T> f = {below_of<true>(call, call + 1), chl::in<T>(call + 1, 1),
                                    chl::out<T>(call + 1, 0)};
        return chl::columns<T>(call, chl::groups_of(y), f, static_cast<float *>(call->workspace));
    });
}
static size_t last_workspace(const chl_call *call) {
    const chl_desc &y = call[1].in_desc[1];
    return chl::columns_workspace(chl::groups_of(y), y.dtype, last_gradient<float>::SUMS);
}

// --- modconv, torgb ------------------------------------------------------------------------------
// A pixel's channels are spread over `lanes` neighbouring threads of a warp, eight each.
template <class T> struct activate_colours {
    static constexpr int KEEP = layer::KEEP + torgb::GROUP, SUMS = 0;
    static constexpr bool FORWARD = true, BACKWARD = false;
    layer of;
    torgb::colours rgb;
    const float *b;
    T *y;
    float *picture;
    int lanes;
    upsample::upsampled below; // the colours are its residual, where it has a result
    template <int N> __device__ void start(int64_t n, int64_t c, float (&keep)[KEEP][N]) const {
        of.start<N>(n, c, keep);
        rgb.start<N>(n, c, keep + layer::KEEP);
    }
    template <int N>
    __device__ void value(const place &p, const float (&keep)[KEEP][N], float (&v)[N],
                          float (&)[1][N]) const {
        of.forward<N>(p, keep, v);
        chl::store(y + p.at, v, false);
        float sum[torgb::GROUP] = {};
        for (int o = 0; o < torgb::GROUP; o++)
            for (int e = 0; e < N; e++) sum[o] += v[e] * keep[layer::KEEP + o][e];
        const int lane = int(threadIdx.x) % 32;
        // the mask names this pixel's lanes only: other pixels' lanes may have left the loop
        const unsigned neighbours = 0xffffffffu >> (32 - lanes) << (lane / lanes * lanes);
        for (int apart = lanes / 2; apart; apart /= 2)
            for (float &e : sum) e += __shfl_xor_sync(neighbours, e, apart);
        if (lane % lanes) return;
        const int64_t at = (p.group * rgb.pixels + p.row) * torgb::GROUP;
        for (int o = 0; o < torgb::GROUP; o++) {
            const float z = sum[o] + b[o], clamp = rgb.dz.clamp;
            picture[at + o] = clamp > 0 ? fminf(fmaxf(z, -clamp), clamp) : z;
            if (below.y) below.y[at + o] = below.pixel(at + o) + picture[at + o];
        }
    }
};
// call: modconv torgb; below: what the colours are added to
static chl_kernel_status colour(const chl_call *call, const upsample::upsampled &below) {
    using chl::bf16;
    const chl_conv_attributes &a = call->attr.conv;
    const int64_t pixels = int64_t(a.h) * a.w;
    const chl_call *to = call + 1;
    activate_colours<bf16> f = {};
    f.of = layer_of(call, 4, pixels);
    f.rgb = {{nullptr, nullptr, to->attr.conv.clamp},
             chl::in<float>(to, 1),
             chl::in<float>(to, 2),
             pixels,
             a.o,
             torgb::GROUP,
             0,
             to->attr.conv.gain};
    f.b = chl::in<float>(to, 3);
    f.y = chl::out<bf16>(call, 0);
    f.picture = chl::out<float>(to, 0);
    f.lanes = a.o / 8;
    f.below = below;
    chl::workspace_cursor cursor = {call->workspace};
    const product_space<bf16> buffers(forward_gather(a), 0, cursor);
    const operands from = {call->in[0], chl::in<float>(call, 3), chl::in<float>(call, 1),
                           call->in[2], a.gain};
    return product(call, forward_gather(a), from, f, buffers);
}
static chl_kernel_status run_colours(const chl_call *call) {
    return colour(call, {});
}
// call: modconv torgb upsample_fir
static chl_kernel_status run_colours_above(const chl_call *call) {
    return colour(call, upsample::upsampled_of(call + 2));
}
static size_t colours_workspace(const chl_call *call) {
    chl::workspace_cursor cursor = {nullptr};
    product_space<chl::bf16>(forward_gather(call->attr.conv), 0, cursor);
    return cursor.used;
}
// True where a tile has all channels of its pixels, or where a thread that adds parts has.
static bool colours_in_tile(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    if (!chl_modconv_torgb_fits(call)) return false;
    gather g = forward_gather(a);
    const tile_kind kind = lay<chl::bf16>(g);
    const int width = kind == WIDE || kind == WIDE_BOXES ? 128 : kind == NARROW ? 32 : 64;
    return kind != PLAIN_TILES && (g.splits > 1 || width == a.o);
}
static bool colours_above_in_tile(const chl_call *call) {
    return colours_in_tile(call) && chl_adds_colours(call + 2);
}
} // namespace modconv

using namespace modconv;
const chl_fused_body chl_cuda_modconv_dx_torgb_epilogue = {
    dx_below<true>::run, dx_below<true>::workspace, chl_dx_torgb_epilogue_fits};
const chl_fused_body chl_cuda_modconv_dx_epilogue = {
    dx_below<false>::run, dx_below<false>::workspace, chl_dx_epilogue_fits};
const chl_fused_body chl_cuda_torgb_epilogue = {run_last, last_workspace, chl_torgb_epilogue_fits};
const chl_fused_body chl_cuda_modconv_torgb = {run_colours, colours_workspace, colours_in_tile};
const chl_fused_body chl_cuda_modconv_torgb_upsample = {run_colours_above, colours_workspace,
                                                        colours_above_in_tile};
