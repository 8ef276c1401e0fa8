// y = gain x w^T + bias_gain b and its gradients: matrix products by cuBLASLt, which adds the bias
// in its epilogue. w and b are floats; bf16 activations are multiplied by a bf16 copy of w, and the
// library wants b in bf16, too: those of linear_pack, made once, where they are frozen, else copies
// made in the workspace by a launch each. 2 rows in out FLOPs;
// in bf16 2 (rows in + rows out + in out) bytes: bound by the bytes of w below some 300 rows on an
// H100, by the tensor cores above.
#include "cuda/lib/pack.cuh"
#include "cuda/lib/vendor.h"

namespace {
using chl::bf16;

int64_t last(const chl_desc &d) {
    return d.dim[d.rank - 1];
}

// --- linear_pack: w b? -> packed, bf16 copies of w and bias_gain b -------------------------------
struct packed_parts {
    bf16 *w, *b;
    size_t without_bias, bytes;
    packed_parts(const chl_desc &weight, void *base) {
        chl::workspace_cursor cursor = {base};
        w = cursor.take<bf16>(chl_count(&weight));
        without_bias = cursor.used;
        b = cursor.take<bf16>(weight.dim[0]);
        bytes = cursor.used;
    }
};
size_t packed_bytes(const chl_call *call) {
    const packed_parts parts(call->in_desc[0], nullptr);
    return call->inputs > 1 ? parts.bytes : parts.without_bias;
}
chl_kernel_status pack(const chl_call *call) {
    const chl_desc &w = call->in_desc[0];
    const packed_parts parts(w, call->out[0]);
    const chl_kernel_status status =
        chl::copy_as(call, chl_count(&w), chl::in<float>(call, 0), 1, parts.w);
    if (status != CHL_KERNEL_OK || call->inputs < 2) return status;
    const float factor = call->attr.linear.bias_gain;
    return chl::copy_as(call, w.dim[0], chl::in<float>(call, 1), factor, parts.b);
}
// where a linear's packed input holds its bias; null: it has none
const void *packed_bias(const chl_call *call) {
    if (call->inputs < 4 || !call->in[2] || !call->in[3]) return nullptr;
    const packed_parts parts(call->in_desc[1], const_cast<void *>(call->in[3]));
    return size_t(chl_count(&call->in_desc[3])) == parts.bytes ? parts.b : nullptr;
}

// w in the activations' type T: itself, the packed copy, or one made in `copy`.
template <class T>
chl_kernel_status weight_as(const chl_call *call, int packed, T *copy, const void **weight) {
    *weight = call->in[1];
    if (sizeof(T) == sizeof(float)) return CHL_KERNEL_OK;
    const bool given = call->inputs > packed && call->in[packed];
    *weight = given ? call->in[packed] : copy;
    if (given) return CHL_KERNEL_OK;
    return chl::copy_as(call, chl_count(&call->in_desc[1]), chl::in<float>(call, 1), 1, copy);
}
template <class T> int64_t copied_weights(const chl_call *call, int packed) {
    return sizeof(T) == sizeof(float) || call->inputs > packed ? 0 : chl_count(&call->in_desc[1]);
}

// --- linear: x w b? packed? -> y -----------------------------------------------------------------
template <class T> struct forward_space {
    char *product;
    T *w, *b;
    forward_space(const chl_call *call, chl::workspace_cursor &cursor) {
        product = cursor.take<char>(int64_t(chl::matmul_workspace()));
        w = cursor.take<T>(copied_weights<T>(call, 3));
        b = cursor.take<T>(call->in_desc[1].dim[0]);
    }
};

// The library adds the bias unscaled and in y's type.
template <class T>
chl_kernel_status bias_as(const chl_call *call, int64_t width, T *copy, const void **bias) {
    const float *b = call->inputs > 2 ? chl::in<float>(call, 2) : nullptr;
    const float gain = call->attr.linear.bias_gain;
    *bias = b;
    if (!b || (sizeof(T) == sizeof(float) && gain == 1)) return CHL_KERNEL_OK;
    if (sizeof(T) == sizeof(bf16) && (*bias = packed_bias(call))) return CHL_KERNEL_OK;
    *bias = copy;
    return chl::copy_as(call, width, b, gain, copy);
}

template <class T> chl_kernel_status forward_in(const chl_call *call) {
    const int64_t in = last(call->in_desc[0]), out = last(call->out_desc[0]);
    chl::workspace_cursor cursor = {call->workspace};
    const forward_space<T> space(call, cursor);
    const void *w, *b;
    chl_kernel_status status = weight_as<T>(call, 3, space.w, &w);
    if (status == CHL_KERNEL_OK) status = bias_as<T>(call, out, space.b, &b);
    if (status != CHL_KERNEL_OK) return status;
    chl::matmul_shape shape = {chl_count(&call->in_desc[0]) / in, out, in};
    shape.b_turned = true;
    shape.from = shape.to = call->in_desc[0].dtype;
    shape.bias = b != nullptr;
    return chl::matmul(call, shape,
                       {call->attr.linear.gain, call->in[0], w, chl::adds(call, 0) ? 1.0f : 0.0f,
                        call->out[0], b, space.product});
}
chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call); });
}

// --- linear_dx: dy w packed? -> dx ---------------------------------------------------------------
template <class T> struct backward_space {
    char *product;
    T *w;
    backward_space(const chl_call *call, chl::workspace_cursor &cursor) {
        product = cursor.take<char>(int64_t(chl::matmul_workspace()));
        w = cursor.take<T>(copied_weights<T>(call, 2));
    }
};
template <class T> chl_kernel_status backward_x_in(const chl_call *call) {
    const int64_t out = last(call->in_desc[0]), in = call->in_desc[1].dim[1];
    chl::workspace_cursor cursor = {call->workspace};
    const backward_space<T> space(call, cursor);
    const void *w;
    const chl_kernel_status status = weight_as<T>(call, 2, space.w, &w);
    if (status != CHL_KERNEL_OK) return status;
    chl::matmul_shape shape = {chl_count(&call->in_desc[0]) / out, in, out};
    shape.from = shape.to = call->in_desc[0].dtype;
    return chl::matmul(call, shape,
                       {call->attr.linear.gain, call->in[0], w, chl::adds(call, 0) ? 1.0f : 0.0f,
                        call->out[0], nullptr, space.product});
}
chl_kernel_status backward_x(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return backward_x_in<decltype(zero)>(call); });
}

// --- linear_dw: dy x -> dw db, both floats -------------------------------------------------------
chl_kernel_status backward_w(const chl_call *call) {
    const int64_t out = last(call->in_desc[0]), in = last(call->in_desc[1]);
    const int64_t rows = chl_count(&call->in_desc[0]) / out;
    if (call->out[0]) {
        chl::matmul_shape shape = {out, in, rows};
        shape.a_turned = true;
        shape.from = call->in_desc[0].dtype;
        const chl_kernel_status status =
            chl::matmul(call, shape,
                        {call->attr.linear.gain, call->in[0], call->in[1],
                         chl::adds(call, 0) ? 1.0f : 0.0f, call->out[0], nullptr, call->workspace});
        if (status != CHL_KERNEL_OK) return status;
    }
    if (call->outputs < 2 || !call->out[1]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, {1, rows, out},
                               chl::column_sums<T>{chl::in<T>(call, 0), chl::out<float>(call, 1),
                                                   call->attr.linear.bias_gain, chl::adds(call, 1)},
                               static_cast<float *>(call->workspace));
    });
}
size_t backward_w_workspace(const chl_call *call) {
    const size_t sums =
        chl::columns_workspace(chl::rows_of(call->in_desc[0]), call->in_desc[0].dtype, 1);
    return sums > chl::matmul_workspace() ? sums : chl::matmul_workspace();
}
} // namespace

// beside bf16 activations the product needs w in bf16: a packed copy saves making one in every run
extern "C" bool chl_cuda_packs_linear(const chl_call *linear) {
    return linear->in_desc[0].dtype == CHL_BF16;
}

const chl_body chl_cuda_linear_pack = {pack, nullptr, packed_bytes};
const chl_body chl_cuda_linear = {forward, chl::space_of<forward_space>, nullptr};
const chl_body chl_cuda_linear_dx = {backward_x, chl::space_of<backward_space>, nullptr};
const chl_body chl_cuda_linear_dw = {backward_w, backward_w_workspace, nullptr};
