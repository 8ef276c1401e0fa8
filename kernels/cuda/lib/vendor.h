// What the vendor's libraries do for us: dense matrix products (cuBLASLt), plain convolutions (cuDNN)
// and Fourier transforms of lengths that log_mel.cu does not compute itself (cuFFT). This is the only
// door: bodies in vendor_cublas.cu, vendor_cudnn.cu and vendor_cufft.cu, naive ones with the same layouts for the
// emulated GPU in tests/emu/vendor_emu.cpp. Which algorithm runs is told by shape and alignment,
// never by a timing: a resumed run must compute bit-identical results.
#pragma once
#include "cuda/lib/body.h"

namespace chl {
// d [rows, columns] = alpha a b + beta d + bias[columns], everything row-major and dense; bf16
// factors meet on the tensor cores, float ones are multiplied as floats; sums are float.
struct matmul_shape {
    int64_t rows, columns, inner;
    bool a_turned = false, b_turned = false; // a lies as [inner, rows], b as [columns, inner]
    chl_dtype from = CHL_F32, to = CHL_F32;  // of a and b; of d and bias: from, or float
    bool bias = false;
    int64_t batch = 1, a_step = 0, b_step = 0, d_step = 0; // in elements
};
struct matmul_data {
    float alpha;
    const void *a, *b; // of type `from`
    float beta;
    void *d;
    const void *bias; // of type `to`
    void *workspace;  // matmul_workspace() bytes
};
size_t matmul_workspace();
chl_kernel_status matmul(const chl_call *call, const matmul_shape &shape, const matmul_data &data);

// Plain bf16 convolution, NHWC, filter [O,K,K,I]: y from x and the filter, or dx from dy and the
// filter. Where convolution_taken says no (an odd shape, no library), the caller computes it.
enum class conv_pass { forward, data };
bool convolution_taken(conv_pass pass, const chl_conv_attributes &a);
size_t convolution_workspace(conv_pass pass, const chl_conv_attributes &a);
chl_kernel_status convolution(const chl_call *call, conv_pass pass, const void *from,
                              const void *filter, float beta, void *to, void *workspace);

// The spectra [rows, points/2 + 1] (complex, not scaled) of `rows` real rows [rows, points], which
// are not kept. Without the library nothing else computes them.
int64_t transform_rows(int points); // as many as should be given at once
bool transform_found();             // the library
// CHL_KERNEL_FAILED, with the library's status, where it is there and does not take this size.
chl_kernel_status transform_planned(int points, int rows);
inline chl_kernel_status no_transform_plan(int points, int status) {
    return fail(CHL_KERNEL_FAILED, "cuFFT: no plan for %d samples: status %d", points, status);
}
size_t transform_workspace(int points, int rows);
chl_kernel_status transform(const chl_call *call, int points, int rows, float *from, void *to,
                            void *workspace);

// Whether cuDNN's NHWC kernels want this shape: channels fill 16 bytes, and it is not a matrix
// product in disguise (1x1, or patches side by side).
inline bool convolution_fits(const chl_conv_attributes &a) {
    const bool product = a.pad == 0 && a.kernel == a.stride;
    return a.i % 8 == 0 && a.o % 8 == 0 && !product;
}

// Cuts a workspace into parts of whole 256 bytes, as cuBLASLt wants its own; with base == nullptr
// it only adds up their sizes.
struct workspace_cursor {
    void *base;
    size_t used = 0;
    template <class T> T *take(int64_t count) {
        T *part = base ? reinterpret_cast<T *>(static_cast<char *>(base) + used) : nullptr;
        used += (size_t(count) * sizeof(T) + 255) / 256 * 256;
        return part;
    }
};
// What a Space(call, cursor) takes, in the type of the call's first input.
template <template <class> class Space> size_t space_of(const chl_call *call) {
    workspace_cursor cursor = {nullptr};
    if (call->in_desc[0].dtype == CHL_BF16)
        Space<bf16>(call, cursor);
    else
        Space<float>(call, cursor);
    return cursor.used;
}
} // namespace chl
