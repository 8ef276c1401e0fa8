// A convolution as a matrix product: for each output the pixels under the kernel, as one row
// ("im2col"), and the adjoint. Where the convolution is a matrix product already (1x1, or a stride
// equal to the kernel), these pixels are whole rows of x, so that this is a plain copy or not
// needed. Used by ops/conv.cu.
#pragma once
#include "cuda/lib/body.h"

namespace chl {
// x as pixels of `channels` numbers, [K,K] taps; where stride and kernel are equal, K rows of one
// pixel of K `channels`
struct im2col_shape {
    int64_t samples, h, w, pitch, channels; // pitch: numbers from row to row of x
    int64_t taps_y, taps_x, stride_y, stride_x, pad, out_h, out_w;
    bool identity; // a row of the column matrix is a pixel of x: no copy is needed

    __host__ __device__ int64_t width() const { // numbers in a row of the column matrix
        return taps_y * taps_x * channels;
    }
    int64_t outputs() const { // of one sample
        return out_h * out_w;
    }
};
inline im2col_shape im2col_shape_of(const chl_conv_attributes &a) {
    im2col_shape s = {a.n,
                      a.h,
                      a.w,
                      int64_t(a.w) * a.i,
                      a.i,
                      a.kernel,
                      a.kernel,
                      a.stride,
                      a.stride,
                      a.pad,
                      (a.h + 2 * a.pad - a.kernel) / a.stride + 1,
                      (a.w + 2 * a.pad - a.kernel) / a.stride + 1,
                      false};
    if (a.pad > 0 || a.kernel != a.stride) return s;
    s.identity = a.kernel == 1;
    s.channels *= a.kernel;
    s.w = s.out_w;
    s.taps_x = s.stride_x = 1;
    return s;
}
template <class T> int pack_of(const im2col_shape &s) {
    return s.channels % PACK<T> || s.pitch % PACK<T> ? 1 : PACK<T>;
}

constexpr int COLUMN_COPY_THREADS = 256;

// Writes the columns of the outputs first ... first + count - 1: 2 bytes read, less what the caches
// keep, and 2 written an element in bf16.
template <int N, class T>
SIMT_KERNEL((COLUMN_COPY_THREADS), lay_columns_kernel, im2col_shape s, const T *x, int64_t first,
            int64_t count, T *columns) {
    const int64_t width = s.width(), stride = int64_t(gridDim.x) * COLUMN_COPY_THREADS;
    for (int64_t i = int64_t(blockIdx.x) * COLUMN_COPY_THREADS + threadIdx.x; i < count * width / N;
         i += stride) {
        const int64_t row = i * N / width, at = i * N - row * width, pixel = first + row;
        const int64_t tap = at / s.channels, c = at - tap * s.channels;
        const int64_t n = pixel / (s.out_h * s.out_w);
        const int64_t y = pixel / s.out_w % s.out_h * s.stride_y - s.pad + tap / s.taps_x;
        const int64_t place = pixel % s.out_w * s.stride_x - s.pad + tap % s.taps_x;
        float v[N] = {};
        if (y >= 0 && y < s.h && place >= 0 && place < s.w)
            load(x + (n * s.h + y) * s.pitch + place * s.channels + c, v);
        store(columns + i * N, v, false);
    }
}

// The adjoint, for `samples` samples: each number of dx sums the columns it was copied to.
template <int N, class T>
SIMT_KERNEL((COLUMN_COPY_THREADS), gather_columns_kernel, im2col_shape s, int64_t samples,
            const T *columns, T *dx, bool add) {
    const int64_t stride = int64_t(gridDim.x) * COLUMN_COPY_THREADS;
    for (int64_t i = int64_t(blockIdx.x) * COLUMN_COPY_THREADS + threadIdx.x;
         i < samples * s.h * s.pitch / N; i += stride) {
        const int64_t row = i * N / s.pitch, at = i * N - row * s.pitch;
        const int64_t n = row / s.h, y = row - n * s.h + s.pad;
        const int64_t place = at / s.channels + s.pad, c = at % s.channels;
        float total[N] = {}, v[N];
        for (int64_t ty = y % s.stride_y; ty < s.taps_y && ty <= y; ty += s.stride_y)
            for (int64_t tx = place % s.stride_x; tx < s.taps_x && tx <= place; tx += s.stride_x) {
                const int64_t oy = (y - ty) / s.stride_y, ox = (place - tx) / s.stride_x;
                if (oy >= s.out_h || ox >= s.out_w) continue;
                load(columns + ((n * s.out_h + oy) * s.out_w + ox) * s.width() +
                         (ty * s.taps_x + tx) * s.channels + c,
                     v);
                for (int e = 0; e < N; e++) total[e] += v[e];
            }
        store(dx + i * N, total, add);
    }
}

inline unsigned column_blocks(int64_t threads) {
    const int64_t blocks = (threads + COLUMN_COPY_THREADS - 1) / COLUMN_COPY_THREADS;
    return unsigned(blocks < 132 * 16 ? blocks : 132 * 16);
}
template <class T>
chl_kernel_status lay_columns(const chl_call *call, const im2col_shape &s, const T *x,
                              int64_t first, int64_t count, T *columns) {
    const int n = pack_of<T>(s);
    const auto kernel = n == 1 ? lay_columns_kernel<1, T> : lay_columns_kernel<PACK<T>, T>;
    return status(simt::launch(
        kernel, {dim3(column_blocks(count * s.width() / n)), dim3(COLUMN_COPY_THREADS)},
        call->stream, s, x, first, count, columns));
}
template <class T>
chl_kernel_status gather_columns(const chl_call *call, const im2col_shape &s, int64_t samples,
                                 const T *columns, T *dx, bool add) {
    const int n = pack_of<T>(s);
    const auto kernel = n == 1 ? gather_columns_kernel<1, T> : gather_columns_kernel<PACK<T>, T>;
    return status(simt::launch(
        kernel, {dim3(column_blocks(samples * s.h * s.pitch / n)), dim3(COLUMN_COPY_THREADS)},
        call->stream, s, samples, columns, dx, add));
}
} // namespace chl
