// A squeeze-and-excitation unit between its second convolution and its end, forward and back
// (kernels/fusion_table.h): what the calls that contain it share. The rows of a pass over the pixels
// leave sums for each sample and part of the picture, [samples, parts, channels], whoever made that
// pass (squeeze_fused.cu, modconv/conv_fused.cu); a block for each sample adds them and computes the
// gate.
#pragma once
#include "cuda/lib/batch_norm.cuh"
#include "cuda/lib/gate.cuh"

namespace squeeze {
using gate::CHANNELS;
using gate::keep;
using gate::THREADS;

// The sums of sample n, the parts added in order: total[c], each by the thread that excite_back lets
// read it first.
__device__ inline void add_parts(const float *partial, int64_t n, int64_t parts, int width,
                                 float *total) {
    constexpr int WARPS = THREADS / 32;
    SIMT_SHARED(share, float[WARPS][CHANNELS]);
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    for (int c = lane; c < width; c += 32) {
        float sum = 0;
        for (int64_t part = warp; part < parts; part += WARPS)
            sum += partial[(n * parts + part) * width + c];
        share[warp][c] = sum;
    }
    __syncthreads();
    for (int c = int(threadIdx.x); c < width; c += THREADS) {
        float sum = 0;
        for (int w = 0; w < WARPS; w++) sum += share[w][c];
        total[c] = sum;
    }
}

// --- batch_norm, mean_pool, the gate's four ------------------------------------------------------
// y = the norm of v, and its sums over the pixels
template <class T> struct normalised_sum {
    static constexpr int KEEP = 3, SUMS = 1;
    chl::normalised<T> norm;
    template <int N> __device__ void start(int64_t n, int64_t column, float (&keep)[3][N]) const {
        norm.template start<N>(n, column, keep);
    }
    template <int N>
    __device__ void pass(const chl::place &p, const float (&keep)[3][N], float (&v)[N],
                         float (&sum)[1][N]) const {
        for (int e = 0; e < N; e++) {
            T rounded;
            v[e] = gate::keep(&rounded, (v[e] - keep[0][e]) * keep[1][e] + keep[2][e]);
            sum[0][e] += v[e];
        }
        chl::store(norm.y + p.at, v, false);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[3][N], float (&sum)[1][N]) const {
        float v[N];
        chl::load(norm.x + p.at, v);
        pass<N>(p, keep, v, sum);
    }
};
// call: a batch_norm that is followed by mean_pool and the gate's four
template <class T> normalised_sum<T> normalised_sum_of(const chl_call *call) {
    return {{chl::in<T>(call, 0), chl::in<float>(call, 1), chl::in<float>(call, 2),
             chl::in<float>(call, 3), chl::in<float>(call, 4), call->attr.norm.eps,
             chl::out<T>(call, 0), false}};
}

template <class T>
SIMT_KERNEL((THREADS), squeeze_kernel, gate::excitation<T> f, const float *partial, int64_t parts,
            int64_t pixels, T *mean) {
    SIMT_SHARED(x, float[CHANNELS]);
    add_parts(partial, blockIdx.x, parts, f.w.channels, x);
    for (int c = int(threadIdx.x); c < f.w.channels; c += THREADS)
        x[c] = keep(mean + int64_t(blockIdx.x) * f.w.channels + c, x[c] / float(pixels));
    __syncthreads();
    gate::excite(f, blockIdx.x, x);
}
// call: as above, behind its pass over the pixels
template <class T>
chl_kernel_status excite(const chl_call *call, const float *partial, int64_t parts) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    return chl::status(simt::launch(squeeze_kernel<T>, {dim3(unsigned(v.groups)), dim3(THREADS)},
                                    call->stream, gate::excitation_of<T>(call + 2), partial, parts,
                                    v.rows, chl::out<T>(call + 1, 0)));
}

// --- batch_norm_backward channel_scale_backward, the gate's gradient, mean_pool_dx
// batch_norm_backward -----------------------------------------------------------------------------
// total = dy gamma rstd, or more of it; the sums of total x
template <class T> struct total_sum {
    static constexpr int KEEP = 1, SUMS = 1;
    const T *dy, *x;
    const float *gamma, *var;
    float eps;
    T *total;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        chl::load_scale(gamma, var, column, eps, keep[0]);
    }
    template <int N>
    __device__ void pass(const chl::place &p, const float (&keep)[1][N], float (&d)[N],
                         float (&sum)[1][N]) const {
        float v[N] = {};
        if (add) chl::load(total + p.at, v);
        for (int e = 0; e < N; e++) {
            T rounded;
            d[e] = gate::keep(&rounded, v[e] + d[e] * keep[0][e]);
        }
        chl::store(total + p.at, d, false);
        chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) sum[0][e] += d[e] * v[e];
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&sum)[1][N]) const {
        float d[N];
        chl::load(dy + p.at, d);
        pass<N>(p, keep, d, sum);
    }
};
// call: the eight
template <class T> total_sum<T> total_sum_of(const chl_call *call) {
    return {chl::in<T>(call, 0),     chl::in<T>(call + 1, 1), chl::in<float>(call, 2),
            chl::in<float>(call, 4), call->attr.norm.eps,     chl::out<T>(call, 0),
            chl::adds(call, 0)};
}

template <class T>
SIMT_KERNEL((THREADS), squeeze_gradient_kernel, gate::excitation_gradient<T> f,
            const float *partial, int64_t parts, T *ds) {
    SIMT_SHARED(dy, float[CHANNELS]);
    add_parts(partial, blockIdx.x, parts, f.w.channels, dy);
    for (int c = int(threadIdx.x); c < f.w.channels; c += THREADS)
        dy[c] = keep(ds + int64_t(blockIdx.x) * f.w.channels + c, dy[c]);
    gate::excite_back(f, blockIdx.x, dy);
}

// dx = (total s + dmean / pixels) gamma rstd
template <class T> struct through_unit {
    static constexpr int KEEP = 2, SUMS = 0;
    const T *total, *s, *dmean;
    const float *gamma, *var;
    float eps;
    T *dx;
    int64_t pixels, width;
    bool add;
    template <int N> __device__ void start(int64_t n, int64_t column, float (&keep)[2][N]) const {
        float scale[N];
        chl::load_scale(gamma, var, column, eps, scale);
        chl::load(s + n * width + column, keep[0]);
        chl::load(dmean + n * width + column, keep[1]);
        for (int e = 0; e < N; e++) {
            keep[0][e] *= scale[e];
            keep[1][e] = keep[1][e] / float(pixels) * scale[e];
        }
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[2][N], float (&)[1][N]) const {
        float v[N];
        chl::load(total + p.at, v);
        for (int e = 0; e < N; e++) v[e] = v[e] * keep[0][e] + keep[1][e];
        chl::store(dx + p.at, v, add);
    }
};
// call: the eight, behind the pass that made `total` and the sums
template <class T>
chl_kernel_status unit_gradient(const chl_call *call, const float *partial, int64_t parts) {
    const chl_call *scale = call + 1, *norm = call + 7;
    const chl::view v = chl::groups_of(scale->in_desc[1]);
    const chl_kernel_status status = chl::status(simt::launch(
        squeeze_gradient_kernel<T>, {dim3(unsigned(v.groups)), dim3(THREADS)}, call->stream,
        gate::excitation_gradient_of<T>(call + 2), partial, parts, chl::out<T>(scale, 1)));
    if (status != CHL_KERNEL_OK) return status;
    return chl::columns<T>(
        call, v,
        through_unit<T>{chl::in<T>(scale, 0), chl::in<T>(scale, 2), chl::in<T>(call + 6, 0),
                        chl::in<float>(norm, 2), chl::in<float>(norm, 4), norm->attr.norm.eps,
                        chl::out<T>(norm, 0), v.rows, v.width, chl::adds(norm, 0)});
}
} // namespace squeeze
