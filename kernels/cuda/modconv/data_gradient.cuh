// The data gradient of a modulated convolution, v = conv transposed of g by gain w, and the
// epilogue f that turns v into dx and ds. Used by modconv_dx and by the fusions that begin with it.
#pragma once
#include "cuda/modconv/fir.cuh"
#include "cuda/modconv/product.cuh"
#include "cuda/modconv/up_tile.cuh"

namespace modconv {
inline gather gradient_gather(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    gather g = a.up ? up_dx_gather(a) : dx_gather(a);
    g.path = call->path;
    return g;
}
template <class T> bool filters_on_tile(const chl_conv_attributes &a, gather &g) {
    return a.up && sizeof(T) == 2 && !wishes_product<T>(g) && lay_up_dx_tiles(g);
}
template <class T> int32_t gradient_path_in(const chl_call *call) {
    gather g = gradient_gather(call);
    return filters_on_tile<T>(call->attr.conv, g) ? FILTERED : lay<T>(g);
}
inline int32_t gradient_path(const chl_call *call) {
    return call->in_desc[0].dtype == CHL_BF16 ? gradient_path_in<chl::bf16>(call)
                                              : gradient_path_in<float>(call);
}
template <int SUMS> struct gradient_space {
    template <class T> struct of {
        T *dz = nullptr;
        product_space<T> product;
        of(const chl_call *call, chl::workspace_cursor &cursor) {
            gather g = gradient_gather(call);
            if (filters_on_tile<T>(call->attr.conv, g)) {
                product.sums = cursor.take<float>(int64_t(g.n) * g.tiles * SUMS * g.out_c);
                return;
            }
            dz = cursor.take<T>(z_count(call->attr.conv));
            product = product_space<T>(g, SUMS, cursor);
        }
    };
};
// Sets *from to the gradient that the product reads: z's, computed into dz by the filter's
// transpose, with up-sampling; else g itself.
template <class T> chl_kernel_status spread(const chl_call *call, T *dz, const T **from) {
    const chl_conv_attributes &a = call->attr.conv;
    const T *g = chl::in<T>(call, 0);
    *from = a.up ? dz : g;
    return a.up ? run_fir(call, fir_backward(a), g, keep_result<T>{dz}) : CHL_KERNEL_OK;
}
// call: a modconv_dx, g w packed s x?
template <class T, class F> chl_kernel_status data_gradient(const chl_call *call, const F &f) {
    const chl_conv_attributes &a = call->attr.conv;
    chl::workspace_cursor cursor = {call->workspace};
    const typename gradient_space<F::SUMS>::template of<T> buffers(call, cursor);
    gather to = gradient_gather(call);
    if constexpr (sizeof(T) == 2)
        if (filters_on_tile<T>(a, to)) {
            const chl_kernel_status status = run_up_dx_tiles(
                call, to, chl::in<T>(call, 0), chl::in<T>(call, 2), f, buffers.product.sums);
            return status == CHL_KERNEL_OK
                       ? finish_sums(call, to, to.tiles, buffers.product.sums, f)
                       : status;
        }
    const T *g;
    const chl_kernel_status spreading = spread(call, buffers.dz, &g);
    if (spreading != CHL_KERNEL_OK) return spreading;
    const operands from = {g, nullptr, chl::in<float>(call, 1), call->in[2], a.gain};
    return product(call, to, from, f, buffers.product);
}
} // namespace modconv
