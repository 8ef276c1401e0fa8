// The vendor's libraries for the emulated GPU: plain loops with the layouts, epilogues and types of
// kernels/cuda/lib/vendor.h. They spoil their workspace, as the real ones do.
#include "cuda/lib/vendor.h"
#include <cassert>
#include <vector>

namespace chl {
namespace {
constexpr size_t WORKSPACE = 2048; // small, so that what is cut to fit is cut in tests

float at(const void *p, chl_dtype type, int64_t i) {
    return type == CHL_BF16 ? get(static_cast<const bf16 *>(p) + i)
                            : get(static_cast<const float *>(p) + i);
}
void write(void *p, chl_dtype type, int64_t i, float v) {
    if (type == CHL_BF16)
        set(static_cast<bf16 *>(p) + i, v);
    else
        set(static_cast<float *>(p) + i, v);
}

float product(const matmul_shape &s, const matmul_data &m, int64_t batch, int64_t row,
              int64_t column) {
    const int64_t a = batch * s.a_step + (s.a_turned ? row : row * s.inner);
    const int64_t b = batch * s.b_step + (s.b_turned ? column * s.inner : column);
    const int64_t a_next = s.a_turned ? s.rows : 1, b_next = s.b_turned ? 1 : s.columns;
    float sum = 0;
    for (int64_t k = 0; k < s.inner; k++)
        sum += at(m.a, s.from, a + k * a_next) * at(m.b, s.from, b + k * b_next);
    return sum;
}

int64_t extent(int64_t in, const chl_conv_attributes &a) {
    return (in + 2 * a.pad - a.kernel) / a.stride + 1;
}

// calls f(pixel of y, tap, pixel of x) for every pair of pixels that a tap connects
template <class F> void taps(const chl_conv_attributes &a, F f) {
    const int64_t height = extent(a.h, a), width = extent(a.w, a);
    for (int64_t p = 0; p < a.n * height * width; p++)
        for (int64_t tap = 0; tap < int64_t(a.kernel) * a.kernel; tap++) {
            const int64_t n = p / (height * width);
            const int64_t row = p / width % height * a.stride - a.pad + tap / a.kernel;
            const int64_t column = p % width * a.stride - a.pad + tap % a.kernel;
            if (row >= 0 && row < a.h && column >= 0 && column < a.w)
                f(p, tap, (n * a.h + row) * a.w + column);
        }
}
} // namespace

size_t matmul_workspace() {
    return WORKSPACE;
}

static int multiply(const matmul_shape &s, const matmul_data &m) {
    std::memset(m.workspace, 0xff, WORKSPACE);
    for (int64_t batch = 0; batch < s.batch; batch++)
        for (int64_t row = 0; row < s.rows; row++)
            for (int64_t column = 0; column < s.columns; column++) {
                const int64_t i = batch * s.d_step + row * s.columns + column;
                float v = m.alpha * product(s, m, batch, row, column);
                if (m.beta != 0) v += m.beta * at(m.d, s.to, i);
                if (s.bias) v += at(m.bias, s.to, column);
                write(m.d, s.to, i, v);
            }
    return 0;
}

chl_kernel_status matmul(const chl_call *call, const matmul_shape &s, const matmul_data &m) {
    assert(s.to == s.from || s.to == CHL_F32); // what the library has kernels for
    if (simt::emu::settings().rehearse) return CHL_KERNEL_OK;
    return status(simt::emu::queued(call->stream, [s, m] { return multiply(s, m); }));
}

bool convolution_taken(conv_pass, const chl_conv_attributes &a) {
    return convolution_fits(a);
}

size_t convolution_workspace(conv_pass, const chl_conv_attributes &) {
    return WORKSPACE;
}

static int convolve(const chl_conv_attributes &a, conv_pass pass, const void *from,
                    const void *filter, float beta, void *to, void *workspace) {
    const bool forward = pass == conv_pass::forward;
    const int64_t pixels =
        forward ? a.n * extent(a.h, a) * extent(a.w, a) : int64_t(a.n) * a.h * a.w;
    const int64_t width = forward ? a.o : a.i, inner = forward ? a.i : a.o;
    const int64_t step = int64_t(a.kernel) * a.kernel * a.i;
    std::memset(workspace, 0xff, WORKSPACE);
    std::vector<float> sum(size_t(pixels * width));
    taps(a, [&](int64_t y, int64_t tap, int64_t x) {
        const int64_t source = forward ? x : y, target = forward ? y : x;
        for (int64_t c = 0; c < width; c++)
            for (int64_t k = 0; k < inner; k++) {
                const int64_t o = forward ? c : k, i = forward ? k : c;
                sum[size_t(target * width + c)] += at(from, CHL_BF16, source * inner + k) *
                                                   at(filter, CHL_BF16, o * step + tap * a.i + i);
            }
    });
    for (int64_t i = 0; i < pixels * width; i++)
        write(to, CHL_BF16, i, sum[size_t(i)] + (beta != 0 ? beta * at(to, CHL_BF16, i) : 0.0f));
    return 0;
}
chl_kernel_status convolution(const chl_call *call, conv_pass pass, const void *from,
                              const void *filter, float beta, void *to, void *workspace) {
    if (simt::emu::settings().rehearse) return CHL_KERNEL_OK;
    const chl_conv_attributes a = call->attr.conv;
    return status(simt::emu::queued(
        call->stream, [=] { return convolve(a, pass, from, filter, beta, to, workspace); }));
}
} // namespace chl
