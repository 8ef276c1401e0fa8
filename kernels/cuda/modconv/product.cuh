// Computes a gathered product with the kernel that its shape and type call for, and applies an
// epilogue to the results: directly, or after adding the parts where terms are divided among
// blocks.
#pragma once
#include "cuda/modconv/hopper.cuh"

namespace modconv {
inline bool empty(const chl_conv_attributes &a) {
    return a.n == 0 || a.h == 0 || a.w == 0 || a.i == 0 || a.o == 0;
}
inline int64_t z_count(const chl_conv_attributes &a) {
    return a.up ? int64_t(a.n) * (2 * a.h + 1) * (2 * a.w + 1) * a.o : 0;
}
template <class Space> size_t space_of(const chl_call *call) {
    chl::workspace_cursor cursor = {nullptr};
    if (call->in_desc[0].dtype == CHL_BF16)
        typename Space::template of<chl::bf16>(call, cursor);
    else
        typename Space::template of<float>(call, cursor);
    return cursor.used;
}

// --- the kernel, and memory for parts and for sums over pixels -----------------------------------
// Whether the tensor cores' tiles take the product.
template <class T> bool by_tensor_cores(const gather &g) {
    return sizeof(T) == 2 && g.in_c % 8 == 0 && g.out_c % 8 == 0 && has_short_offsets(g);
}
template <class T> tile_kind lay(gather &g) {
    if (by_tensor_cores<T>(g) && !wishes(g, PLAIN_TILES)) {
        tile_kind kind = lay_wished_boxes(g);
        if (kind == PLAIN_TILES) kind = lay_wished_tiles(g);
        if (kind == PLAIN_TILES) kind = lay_hopper_tiles(g);
        return kind == PLAIN_TILES ? lay_tensor_tiles(g) : kind;
    }
    lay_tiles(g, PLAIN, PLAIN);
    return PLAIN_TILES;
}
// Whether the call asks for tiles without the filter, and they take the product.
template <class T> bool wishes_product(gather g) {
    return g.path > 0 && !wishes(g, FILTERED) && wishes(g, lay<T>(g));
}
inline chl::view results_of(const gather &g) {
    return {g.n, int64_t(g.out_h) * g.out_w, g.out_c};
}
template <class T> struct product_space {
    float *parts = nullptr, *sums = nullptr;
    product_space() = default;
    product_space(gather g, int summed,
                  chl::workspace_cursor &cursor) { // summed: the epilogue's sums per channel
        lay<T>(g);
        const chl_dtype type = sizeof(T) == 2 ? CHL_BF16 : CHL_F32;
        parts = cursor.take<float>(g.splits > 1 ? g.splits * result_count(g) : 0);
        const int64_t own = int64_t(g.n) * g.tiles * summed * g.out_c;
        const int64_t added =
            int64_t(chl::columns_workspace(results_of(g), type, summed) / sizeof(float));
        sums = cursor.take<float>(!summed ? 0 : g.splits > 1 ? added : own);
    }
};
struct operands {
    const void *x;
    const float *style, *w;
    const void *packed; // gain * w as bf16 [O,9,I]
    float gain;
};
template <class T, class F>
chl_kernel_status one_product(const chl_call *call, tile_kind kind, const gather &g,
                              const operands &from, const box_maps &maps, const F &f, float *sums) {
    const T *x = static_cast<const T *>(from.x);
    if constexpr (sizeof(T) == 2) {
        const T *packed = static_cast<const T *>(from.packed);
        if (on_boxes(kind)) return run_boxes(call, kind, g, maps, from.style, f, sums);
        if (kind != PLAIN_TILES) return run_tiles(call, kind, g, x, from.style, packed, f, sums);
    }
    const int64_t taps = 9, in = g.turned ? g.out_c : g.in_c;
    const plain_weights w = {from.w, g.turned ? in * taps : taps, g.turned ? taps : in * taps,
                             from.gain};
    return run_plain(call, g, x, from.style, w, f, sums);
}
// Adds the sums over pixels, of tiles or of parts, and passes the totals to f.
template <class F>
chl_kernel_status finish_sums(const chl_call *call, const gather &g, int64_t parts,
                              const float *sums, const F &f) {
    if constexpr (F::SUMS > 0)
        if (f.summed()) return chl::finish_columns(call, g.n, g.out_c, parts, sums, f);
    return CHL_KERNEL_OK;
}
// The product and its epilogue, without the last step: the sums over pixels stay in buffers.sums as
// [n, *parts, SUMS, out_c], for a kernel of the caller's that adds them.
template <class T, class F>
chl_kernel_status product_parts(const chl_call *call, gather g, const operands &from, const F &f,
                                const product_space<T> &buffers, int64_t *parts) {
    tile_kind kind = lay<T>(g);
    box_maps maps = {};
    if constexpr (sizeof(T) == 2)
        if (on_boxes(kind) && make_maps(&maps, g, static_cast<const T *>(from.x),
                                        static_cast<const T *>(from.packed), g.turned, kind))
            kind = tiles_instead(g, kind);
    *parts = g.tiles;
    if (g.splits == 1) return one_product<T>(call, kind, g, from, maps, f, buffers.sums);
    const chl_kernel_status status =
        one_product<T>(call, kind, g, from, maps, keep_result<float>{buffers.parts}, nullptr);
    if (status != CHL_KERNEL_OK) return status;
    return chl::columns_parts<T>(call, results_of(g),
                                 from_parts<F>{f, buffers.parts, result_count(g), g.splits},
                                 buffers.sums, parts);
}
template <class T, class F>
chl_kernel_status product(const chl_call *call, const gather &g, const operands &from, const F &f,
                          const product_space<T> &buffers) {
    int64_t parts;
    const chl_kernel_status status = product_parts(call, g, from, f, buffers, &parts);
    return status == CHL_KERNEL_OK ? finish_sums(call, g, parts, buffers.sums, f) : status;
}
} // namespace modconv
