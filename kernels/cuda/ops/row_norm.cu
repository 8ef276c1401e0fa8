// Rows [...,C] divided by their length: L2 x / max(|x|, eps), RMS x / sqrt(mean(x^2) + eps), and dx
// = scale dy - along x. Float: embeddings and latents, at most a few thousand rows. A block per
// row, which reads it from memory once (8 bytes an element) and then from the cache.
#include "cuda/lib/fused.h"
#include "cuda/lib/reduce.cuh"
#include "fusion.h"

namespace {
constexpr int THREADS = 128;

struct lengths {
    float eps;
    bool rms;
    int64_t width;
    __device__ float scale(float square) const {
        return rms ? 1.0f / sqrtf(square / float(width) + eps) : 1.0f / fmaxf(sqrtf(square), eps);
    }
    // an L2 row shorter than eps was divided by a constant
    __device__ float along(float square, float dot) const {
        if (!rms && sqrtf(square) <= eps) return 0;
        const float s = scale(square);
        return rms ? s * s * s * dot / float(width) : s * s * s * dot;
    }
};

template <int N> __device__ float row_dot(const float *a, const float *b, int64_t width) {
    float sum = 0, u[N], v[N];
    for (int64_t c = int64_t(threadIdx.x) * N; c < width; c += THREADS * N) {
        chl::load(a + c, u);
        chl::load(b + c, v);
        for (int e = 0; e < N; e++) sum += u[e] * v[e];
    }
    return chl::block_sum<THREADS>(sum);
}

template <int N> SIMT_KERNEL((THREADS), norm, lengths how, const float *all, float *out, bool add) {
    const int64_t width = how.width;
    const float *x = all + blockIdx.x * width;
    const float scale = how.scale(row_dot<N>(x, x, width));
    float v[N];
    for (int64_t c = int64_t(threadIdx.x) * N; c < width; c += THREADS * N) {
        chl::load(x + c, v);
        for (int e = 0; e < N; e++) v[e] *= scale;
        chl::store(out + blockIdx.x * width + c, v, add);
    }
}

template <int N>
SIMT_KERNEL((THREADS), norm_dx, lengths how, const float *all_dy, const float *each,
            const float *all, float *out, bool add) { // each: what a row of dy is multiplied by
    const int64_t width = how.width;
    const float factor = each ? each[blockIdx.x] : 1;
    const float *x = all + blockIdx.x * width, *dy = all_dy + blockIdx.x * width;
    const float square = row_dot<N>(x, x, width), dot = factor * row_dot<N>(x, dy, width);
    const float scale = how.scale(square), along = how.along(square, dot);
    float v[N], d[N];
    for (int64_t c = int64_t(threadIdx.x) * N; c < width; c += THREADS * N) {
        chl::load(x + c, v);
        chl::load(dy + c, d);
        for (int e = 0; e < N; e++) d[e] = scale * factor * d[e] - along * v[e];
        chl::store(out + blockIdx.x * width + c, d, add);
    }
}

// call: a row_norm or its gradient
lengths lengths_of(const chl_call *call, int64_t width) {
    return {call->attr.norm.eps, call->attr.norm.kind == CHL_NORM_RMS, width};
}
chl_kernel_status forward(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    if (!call->out[0] || v.rows == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(v.width % 4 ? norm<1> : norm<4>,
                                    {dim3(unsigned(v.rows)), dim3(THREADS)}, call->stream,
                                    lengths_of(call, v.width), chl::in<float>(call, 0),
                                    chl::out<float>(call, 0), chl::adds(call, 0)));
}

// call: a row_norm_dx, whose dy is `dy`, each row times `each`
chl_kernel_status run_dx(const chl_call *call, const float *dy, const float *each) {
    const chl::view v = chl::rows_of(call->in_desc[1]);
    if (!call->out[0] || v.rows == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(v.width % 4 ? norm_dx<1> : norm_dx<4>,
                                    {dim3(unsigned(v.rows)), dim3(THREADS)}, call->stream,
                                    lengths_of(call, v.width), dy, each, chl::in<float>(call, 1),
                                    chl::out<float>(call, 0), chl::adds(call, 0)));
}
chl_kernel_status backward(const chl_call *call) {
    return run_dx(call, chl::in<float>(call, 0), nullptr);
}

// --- row_norm row_norm row_dot sum, and back (kernels/fusion_table.h) -----------------------------
struct cosine_rows {
    const float *a, *b;
    float *unit_a, *unit_b, *cosine, *loss;
    lengths of_a, of_b;
    float factor, bias;
};
template <int N> SIMT_KERNEL((THREADS), cosine, cosine_rows f) {
    const int64_t width = f.of_a.width, row = blockIdx.x, first = row * width;
    const float *a = f.a + first, *b = f.b + first;
    const float scale_a = f.of_a.scale(row_dot<N>(a, a, width));
    const float scale_b = f.of_b.scale(row_dot<N>(b, b, width));
    float u[N], v[N], sum = 0;
    for (int64_t c = int64_t(threadIdx.x) * N; c < width; c += THREADS * N) {
        chl::load(a + c, u);
        chl::load(b + c, v);
        for (int e = 0; e < N; e++) {
            u[e] *= scale_a;
            v[e] *= scale_b;
            sum += u[e] * v[e];
        }
        chl::store(f.unit_a + first + c, u, false);
        chl::store(f.unit_b + first + c, v, false);
    }
    sum = chl::block_sum<THREADS>(sum);
    if (threadIdx.x > 0) return;
    f.cosine[row] = sum;
    f.loss[row] = f.bias + f.factor * sum;
}
chl_kernel_status run_cosine(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    const cosine_rows f = {chl::in<float>(call, 0),      chl::in<float>(call + 1, 0),
                           chl::out<float>(call, 0),     chl::out<float>(call + 1, 0),
                           chl::out<float>(call + 2, 0), chl::out<float>(call + 3, 0),
                           lengths_of(call, v.width),    lengths_of(call + 1, v.width),
                           call[3].attr.sum.c[0],        call[3].attr.sum.bias};
    if (v.rows == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(v.width % 4 ? cosine<1> : cosine<4>,
                                    {dim3(unsigned(v.rows)), dim3(THREADS)}, call->stream, f));
}
// call: row_dot_backward, dy a b -> da, and row_norm_dx
chl_kernel_status run_cosine_dx(const chl_call *call) {
    return run_dx(call + 1, chl::in<float>(call, 2), chl::in<float>(call, 0));
}
} // namespace

const chl_body chl_cuda_row_norm = {forward, nullptr, nullptr};
const chl_body chl_cuda_row_norm_dx = {backward, nullptr, nullptr};
const chl_fused_body chl_cuda_cosine = {run_cosine, nullptr, chl_cosine_fits};
const chl_fused_body chl_cuda_cosine_dx = {run_cosine_dx, nullptr, chl_cosine_dx_fits};
