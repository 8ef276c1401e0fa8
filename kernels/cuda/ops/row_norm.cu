// Rows [...,C] divided by their length: L2 x / max(|x|, eps), RMS x / sqrt(mean(x^2) + eps), and dx
// = scale dy - along x. Float: embeddings and latents, at most a few thousand rows. A block per
// row, which reads it from memory once (8 bytes an element) and then from the cache.
#include "cuda/lib/reduce.cuh"

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
SIMT_KERNEL((THREADS), norm_dx, lengths how, const float *all_dy, const float *all, float *out,
            bool add) {
    const int64_t width = how.width;
    const float *x = all + blockIdx.x * width, *dy = all_dy + blockIdx.x * width;
    const float square = row_dot<N>(x, x, width), dot = row_dot<N>(x, dy, width);
    const float scale = how.scale(square), along = how.along(square, dot);
    float v[N], d[N];
    for (int64_t c = int64_t(threadIdx.x) * N; c < width; c += THREADS * N) {
        chl::load(x + c, v);
        chl::load(dy + c, d);
        for (int e = 0; e < N; e++) d[e] = scale * d[e] - along * v[e];
        chl::store(out + blockIdx.x * width + c, d, add);
    }
}

chl_kernel_status forward(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    if (!call->out[0] || v.rows == 0) return CHL_KERNEL_OK;
    const lengths how = {call->attr.norm.eps, call->attr.norm.kind == CHL_NORM_RMS, v.width};
    return chl::status(simt::launch(
        v.width % 4 ? norm<1> : norm<4>, {dim3(unsigned(v.rows)), dim3(THREADS)}, call->stream, how,
        chl::in<float>(call, 0), chl::out<float>(call, 0), chl::adds(call, 0)));
}

chl_kernel_status backward(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    if (!call->out[0] || v.rows == 0) return CHL_KERNEL_OK;
    const lengths how = {call->attr.norm.eps, call->attr.norm.kind == CHL_NORM_RMS, v.width};
    return chl::status(simt::launch(v.width % 4 ? norm_dx<1> : norm_dx<4>,
                                    {dim3(unsigned(v.rows)), dim3(THREADS)}, call->stream, how,
                                    chl::in<float>(call, 0), chl::in<float>(call, 1),
                                    chl::out<float>(call, 0), chl::adds(call, 0)));
}
} // namespace

const chl_body chl_cuda_row_norm = {forward, nullptr, nullptr};
const chl_body chl_cuda_row_norm_dx = {backward, nullptr, nullptr};
