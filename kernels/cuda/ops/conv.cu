// conv, conv_dx, conv_dw: plain convolution and its gradients. cuDNN computes bf16 maps whose
// channels are multiples of 8 (lib/vendor.h). Everything else (float, other numbers of channels,
// kernels equal to the stride, no library) and all weight gradients are matrix products of columns
// (lib/im2col.cuh), some samples at a time. 2 pixels K^2 I O FLOPs: bound by the tensor cores from
// 64 channels on; columns add 4 K^2 bytes per pixel and channel.
#include "cuda/lib/filter.cuh"
#include "cuda/lib/im2col.cuh"
#include "cuda/lib/pack.cuh"
#include "cuda/lib/vendor.h"

namespace {
using chl::bf16;
using chl::conv_pass;

// How many rows of columns, or samples of them, are written at a time: they take twice the
// workspace of a product.
int64_t at_once(int64_t width, int64_t bytes) {
    const int64_t max_rows = int64_t(2 * chl::matmul_workspace()) / (width * bytes);
    return max_rows < 1 ? 1 : max_rows;
}
constexpr int64_t WHOLE = 64; // rows: parts begin at whole tiles and at multiples of 64 bytes
int64_t rows_at_once(int64_t width, int64_t bytes) {
    return (at_once(width, bytes) + WHOLE - 1) / WHOLE * WHOLE;
}
int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// The filter [O,K,K,I] as T: the result of conv_pack, or for floats a copy of w.
template <class T> struct filter_space {
    char *product;
    T *filter;
    filter_space(const chl_call *call, chl::workspace_cursor &cursor) {
        const bool copied = sizeof(T) == sizeof(float);
        product = cursor.take<char>(int64_t(chl::matmul_workspace()));
        filter = cursor.take<T>(copied ? chl_count(&call->in_desc[1]) : 0);
    }
    chl_kernel_status lay(const chl_call *call, const T **laid) const {
        *laid = chl::in<T>(call, 2);
        if (sizeof(T) != sizeof(float)) return CHL_KERNEL_OK;
        *laid = filter;
        return chl::lay_filter(call, chl::in<float>(call, 1), filter);
    }
};

enum { COLUMNS, CUDNN };
constexpr char PATHS[] = "columns cudnn";

template <class T> bool vendor_takes(conv_pass pass, const chl_call *call) {
    return sizeof(T) == sizeof(bf16) && call->path - 1 != COLUMNS &&
           chl::convolution_taken(pass, call->attr.conv);
}
template <conv_pass PASS> int32_t path_of(const chl_call *call) {
    const bool vendor = call->in_desc[0].dtype == CHL_BF16 && vendor_takes<bf16>(PASS, call);
    return vendor ? CUDNN : COLUMNS;
}

template <class T> struct biased {
    static constexpr int KEEP = 1, SUMS = 0;
    const float *b;
    T *y;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_floats(b + column, keep[0]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&)[1][N]) const {
        chl::store(y + p.at, keep[0], true);
    }
};

// --- conv: x w packed b? -> y --------------------------------------------------------------------
template <class T> struct forward_space : filter_space<T> {
    chl::im2col_shape im2col;
    int64_t rows; // of columns at a time
    T *columns, *b;
    forward_space(const chl_call *call, chl::workspace_cursor &cursor)
        : filter_space<T>(call, cursor), im2col(chl::im2col_shape_of(call->attr.conv)) {
        const int64_t all = im2col.samples * im2col.outputs();
        rows = im2col.identity ? all : smaller(all, rows_at_once(im2col.width(), sizeof(T)));
        columns = cursor.take<T>(im2col.identity ? 0 : rows * im2col.width());
        b = cursor.take<T>(call->attr.conv.o);
    }
};

template <class T> chl_kernel_status forward_by_columns(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    const float *b = call->inputs > 3 ? chl::in<float>(call, 3) : nullptr;
    chl::workspace_cursor cursor = {call->workspace};
    const forward_space<T> space(call, cursor);
    const T *filter, *x = chl::in<T>(call, 0);
    chl_kernel_status status = space.lay(call, &filter);
    if (status == CHL_KERNEL_OK && b) status = chl::copy_as(call, a.o, b, 1, space.b);
    const int64_t all = space.im2col.samples * space.im2col.outputs();
    for (int64_t first = 0; first < all && status == CHL_KERNEL_OK; first += space.rows) {
        const int64_t rows = smaller(space.rows, all - first);
        if (!space.im2col.identity)
            status = chl::lay_columns(call, space.im2col, x, first, rows, space.columns);
        chl::matmul_shape shape = {rows, a.o, space.im2col.width()};
        shape.b_turned = true;
        shape.from = shape.to = call->in_desc[0].dtype;
        shape.bias = b != nullptr;
        if (status == CHL_KERNEL_OK)
            status = chl::matmul(call, shape,
                                 {1, space.im2col.identity ? x : space.columns, filter,
                                  chl::adds(call, 0) ? 1.0f : 0.0f,
                                  chl::out<T>(call, 0) + first * a.o, space.b, space.product});
    }
    return status;
}
template <class T> chl_kernel_status forward_in(const chl_call *call) {
    if (!vendor_takes<T>(conv_pass::forward, call)) return forward_by_columns<T>(call);
    const chl_kernel_status status =
        chl::convolution(call, conv_pass::forward, call->in[0], call->in[2],
                         chl::adds(call, 0) ? 1.0f : 0.0f, call->out[0], call->workspace);
    const float *b = call->inputs > 3 ? chl::in<float>(call, 3) : nullptr;
    if (status != CHL_KERNEL_OK || !b) return status;
    return chl::columns<T>(call, chl::rows_of(call->out_desc[0]),
                           biased<T>{b, chl::out<T>(call, 0)});
}
chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0] || chl_count(&call->out_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call); });
}

// --- conv_dx: dy w packed -> dx ------------------------------------------------------------------
template <class T> struct backward_space : filter_space<T> {
    chl::im2col_shape im2col;
    int64_t samples; // at a time: an input pixel needs all the outputs that saw it
    T *columns;
    backward_space(const chl_call *call, chl::workspace_cursor &cursor)
        : filter_space<T>(call, cursor), im2col(chl::im2col_shape_of(call->attr.conv)) {
        samples = smaller(im2col.samples, at_once(im2col.outputs() * im2col.width(), sizeof(T)));
        columns = cursor.take<T>(im2col.identity ? 0 : samples * im2col.outputs() * im2col.width());
    }
};

template <class T> chl_kernel_status dx_by_columns(const chl_call *call) {
    const chl_conv_attributes &a = call->attr.conv;
    chl::workspace_cursor cursor = {call->workspace};
    const backward_space<T> space(call, cursor);
    const chl::im2col_shape &im2col = space.im2col;
    const bool add = chl::adds(call, 0);
    const T *filter, *dy = chl::in<T>(call, 0);
    T *dx = chl::out<T>(call, 0);
    chl_kernel_status status = space.lay(call, &filter);
    for (int64_t n = 0; n < im2col.samples && status == CHL_KERNEL_OK; n += space.samples) {
        const int64_t samples = smaller(space.samples, im2col.samples - n);
        chl::matmul_shape shape = {samples * im2col.outputs(), im2col.width(), a.o};
        shape.from = shape.to = call->in_desc[0].dtype;
        T *to = dx + n * im2col.h * im2col.pitch;
        status = chl::matmul(call, shape,
                             {1, dy + n * im2col.outputs() * a.o, filter,
                              im2col.identity && add ? 1.0f : 0.0f,
                              im2col.identity ? to : space.columns, nullptr, space.product});
        if (status == CHL_KERNEL_OK && !im2col.identity)
            status = chl::gather_columns(call, im2col, samples, space.columns, to, add);
    }
    return status;
}
chl_kernel_status dx(const chl_call *call) {
    if (!call->out[0] || chl_count(&call->in_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        if (!vendor_takes<T>(conv_pass::data, call)) return dx_by_columns<T>(call);
        return chl::convolution(call, conv_pass::data, call->in[0], call->in[2],
                                chl::adds(call, 0) ? 1.0f : 0.0f, call->out[0], call->workspace);
    });
}

template <class T, template <class> class Space>
size_t space_bytes(const chl_call *call, conv_pass pass) {
    if (vendor_takes<T>(pass, call)) return chl::convolution_workspace(pass, call->attr.conv);
    chl::workspace_cursor cursor = {nullptr};
    Space<T>(call, cursor);
    return cursor.used;
}
template <template <class> class Space> size_t workspace_in(const chl_call *call, conv_pass pass) {
    return call->in_desc[0].dtype == CHL_BF16 ? space_bytes<bf16, Space>(call, pass)
                                              : space_bytes<float, Space>(call, pass);
}
size_t forward_workspace(const chl_call *call) {
    return workspace_in<forward_space>(call, conv_pass::forward);
}
size_t dx_workspace(const chl_call *call) {
    return workspace_in<backward_space>(call, conv_pass::data);
}

// --- conv_dw: dy x -> dw db, both floats ---------------------------------------------------------
template <class T> struct weight_space {
    chl::im2col_shape im2col;
    int64_t rows; // of columns at a time
    char *product;
    float *filter, *sums; // the gradient as [O,K,K,I]; partial sums of db
    T *columns;
    weight_space(const chl_call *call, chl::workspace_cursor &cursor)
        : im2col(chl::im2col_shape_of(call->attr.conv)) {
        const int64_t all = im2col.samples * im2col.outputs();
        rows = im2col.identity ? all : smaller(all, rows_at_once(im2col.width(), sizeof(T)));
        product = cursor.take<char>(int64_t(chl::matmul_workspace()));
        filter = cursor.take<float>(call->attr.conv.o * im2col.width());
        columns = cursor.take<T>(im2col.identity ? 0 : rows * im2col.width());
        sums = cursor.take<float>(int64_t(
            chl::columns_workspace(chl::rows_of(call->in_desc[0]), call->in_desc[0].dtype, 1) /
            sizeof(float)));
    }
};

template <class T>
chl_kernel_status weight_gradient(const chl_call *call, const weight_space<T> &space) {
    const chl_conv_attributes &a = call->attr.conv;
    const T *dy = chl::in<T>(call, 0), *x = chl::in<T>(call, 1);
    const int64_t all = space.im2col.samples * space.im2col.outputs(), width = space.im2col.width();
    chl_kernel_status status = CHL_KERNEL_OK;
    for (int64_t first = 0; first < all && status == CHL_KERNEL_OK; first += space.rows) {
        const int64_t rows = smaller(space.rows, all - first);
        if (!space.im2col.identity)
            status = chl::lay_columns(call, space.im2col, x, first, rows, space.columns);
        chl::matmul_shape shape = {a.o, width, rows};
        shape.a_turned = true;
        shape.from = call->in_desc[0].dtype;
        if (status == CHL_KERNEL_OK)
            status = chl::matmul(call, shape,
                                 {1, dy + first * a.o, space.im2col.identity ? x : space.columns,
                                  first > 0 ? 1.0f : 0.0f, space.filter, nullptr, space.product});
    }
    if (status != CHL_KERNEL_OK) return status;
    return chl::each<float>(call, a.o * width,
                            chl::gradient_laid{space.filter, chl::out<float>(call, 0), a.i,
                                               int64_t(a.kernel) * a.kernel, a.gain,
                                               chl::adds(call, 0)});
}
template <class T> chl_kernel_status dw_in(const chl_call *call) {
    chl::workspace_cursor cursor = {call->workspace};
    const weight_space<T> space(call, cursor);
    if (call->out[0]) {
        const chl_kernel_status status = weight_gradient(call, space);
        if (status != CHL_KERNEL_OK) return status;
    }
    if (call->outputs < 2 || !call->out[1]) return CHL_KERNEL_OK;
    return chl::columns<T>(
        call, chl::rows_of(call->in_desc[0]),
        chl::column_sums<T>{chl::in<T>(call, 0), chl::out<float>(call, 1), 1, chl::adds(call, 1)},
        space.sums);
}
chl_kernel_status dw(const chl_call *call) {
    if (chl_count(&call->in_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return dw_in<decltype(zero)>(call); });
}
} // namespace

const chl_paths chl_cuda_conv_paths = {PATHS, path_of<conv_pass::forward>};
const chl_paths chl_cuda_conv_dx_paths = {PATHS, path_of<conv_pass::data>};

const chl_body chl_cuda_conv = {forward, forward_workspace, nullptr};
const chl_body chl_cuda_conv_dx = {dx, dx_workspace, nullptr};
const chl_body chl_cuda_conv_dw = {dw, chl::space_of<weight_space>, nullptr};
