// A squeeze-and-excitation unit between its second convolution and its end, forward and back, as one
// call each (kernels/fusion_table.h). Two launches forward: the norm sums what it writes over the
// pixels, and a block for each sample adds the sums and computes the gate. Three back: the norm that
// followed the unit, whose result is summed with x at once; the gate's gradient; the gradient of the
// unit's own norm, from which the channels' gates and the mean's gradient are not stored. Bytes
// (bf16) an element: 4 forward, not 6; back 12 with a residual, not 20. Bound by memory, and below
// some 10^6 elements by the launches, of which there were four and six.
#include "cuda/lib/batch_norm.cuh"
#include "cuda/lib/gate.cuh"

namespace {
using gate::CHANNELS;
using gate::keep;
using gate::THREADS;

// What columns_parts left of group n, added in order: total[c], each by the thread that excite_back
// lets read it first.
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

// --- batch_norm mean_pool linear activation linear activation ------------------------------------
template <class T> struct normalised_sum {
    static constexpr int KEEP = 3, SUMS = 1;
    chl::normalised<T> norm;
    template <int N> __device__ void start(int64_t n, int64_t column, float (&keep)[3][N]) const {
        norm.template start<N>(n, column, keep);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[3][N], float (&sum)[1][N]) const {
        float v[N];
        chl::load(norm.x + p.at, v);
        for (int e = 0; e < N; e++) {
            T rounded;
            v[e] = gate::keep(&rounded, (v[e] - keep[0][e]) * keep[1][e] + keep[2][e]);
            sum[0][e] += v[e];
        }
        chl::store(norm.y + p.at, v, false);
    }
};

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

size_t forward_workspace(const chl_call *call) {
    return chl::columns_workspace(chl::groups_of(call->in_desc[0]), call->in_desc[0].dtype, 1);
}
template <class T> chl_kernel_status forward_in(const chl_call *call) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    float *partial = static_cast<float *>(call->workspace);
    const normalised_sum<T> f = {{chl::in<T>(call, 0), chl::in<float>(call, 1),
                                  chl::in<float>(call, 2), chl::in<float>(call, 3),
                                  chl::in<float>(call, 4), call->attr.norm.eps,
                                  chl::out<T>(call, 0), false}};
    int64_t parts;
    const chl_kernel_status status = chl::columns_parts<T>(call, v, f, partial, &parts);
    if (status != CHL_KERNEL_OK) return status;
    return chl::status(simt::launch(squeeze_kernel<T>, {dim3(unsigned(v.groups)), dim3(THREADS)},
                                    call->stream, gate::excitation_of<T>(call + 2), partial, parts,
                                    v.rows, chl::out<T>(call + 1, 0)));
}
chl_kernel_status forward(const chl_call *call) {
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call); });
}

// --- batch_norm_backward channel_scale_backward, gate_backward's four, mean_pool_dx
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
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&sum)[1][N]) const {
        float d[N], v[N] = {};
        if (add) chl::load(total + p.at, v);
        chl::load(dy + p.at, d);
        for (int e = 0; e < N; e++) {
            T rounded;
            d[e] = gate::keep(&rounded, v[e] + d[e] * keep[0][e]);
        }
        chl::store(total + p.at, d, false);
        chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) sum[0][e] += d[e] * v[e];
    }
};

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

size_t backward_workspace(const chl_call *call) {
    const chl_desc &x = call[1].in_desc[1];
    return chl::columns_workspace(chl::groups_of(x), x.dtype, 1);
}
template <class T> chl_kernel_status backward_in(const chl_call *call) {
    const chl_call *scale = call + 1, *norm = call + 7;
    const chl::view v = chl::groups_of(scale->in_desc[1]);
    float *partial = static_cast<float *>(call->workspace);
    const total_sum<T> sums = {
        chl::in<T>(call, 0), chl::in<T>(scale, 1), chl::in<float>(call, 2), chl::in<float>(call, 4),
        call->attr.norm.eps, chl::out<T>(call, 0), chl::adds(call, 0)};
    int64_t parts;
    chl_kernel_status status = chl::columns_parts<T>(call, v, sums, partial, &parts);
    if (status != CHL_KERNEL_OK) return status;
    status = chl::status(simt::launch(
        squeeze_gradient_kernel<T>, {dim3(unsigned(v.groups)), dim3(THREADS)}, call->stream,
        gate::excitation_gradient_of<T>(call + 2), partial, parts, chl::out<T>(scale, 1)));
    if (status != CHL_KERNEL_OK) return status;
    return chl::columns<T>(
        call, v,
        through_unit<T>{chl::in<T>(scale, 0), chl::in<T>(scale, 2), chl::in<T>(call + 6, 0),
                        chl::in<float>(norm, 2), chl::in<float>(norm, 4), norm->attr.norm.eps,
                        chl::out<T>(norm, 0), v.rows, v.width, chl::adds(norm, 0)});
}
chl_kernel_status backward(const chl_call *call) {
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return backward_in<decltype(zero)>(call); });
}
} // namespace

const chl_fused_body chl_cuda_squeeze = {forward, forward_workspace, chl_squeeze_fits};
const chl_fused_body chl_cuda_unit_backward = {backward, backward_workspace,
                                               chl_unit_backward_fits};
