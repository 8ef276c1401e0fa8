// ToRGB: y = clamp(gain * conv1x1(x * s, w) + b), x in float or bf16, the picture in float. With
// v[n,o,i] = gain s[n,i] w[o,i] and dz = dy where |y| < clamp:
//     y = clamp(v x + b)      dx = dz v      a[n,o,i] = sum over pixels of dz x
//     ds[n,i] = gain sum_o w[o,i] a[n,o,i]   dw[o,i] = gain sum_n s[n,i] a[n,o,i]
// Bound by memory: x once in the forward (2 bytes an element in bf16, 6 FLOP), x and dx in the
// backward. Output channels are computed three at a time: a picture has three.
#include "cuda/lib/fused.h"
#include "cuda/lib/torgb.cuh"
#include "cuda/lib/upsample.cuh"
#include "cuda/lib/vendor.h"
#include "fusion.h"

namespace {
using torgb::GROUP;
using torgb::masked;
constexpr int THREADS = 256;

struct sizes {
    int64_t n, pixels, inputs, outputs;
};
sizes sizes_of(const chl_desc &x, const chl_desc &w) {
    return {x.dim[0], x.dim[1] * x.dim[2], x.dim[3], w.dim[0]};
}

// --- forward: `lanes` neighbouring threads share a pixel -----------------------------------------
template <class T> struct picture {
    const T *x;
    const float *w, *s, *b;
    float *y;
    sizes z;
    int first, lanes; // output channels first ... first + 2
    float gain, clamp;
    bool add;
    upsample::upsampled below = {}; // fused: y is its residual
};

template <int N, class T>
SIMT_KERNEL((THREADS, 4), project, picture<T> f, int64_t blocks_per_sample) {
    SIMT_DYNAMIC_SHARED(float, v); // [GROUP, inputs]
    const int64_t n = blockIdx.x / blocks_per_sample, inputs = f.z.inputs;
    for (int64_t k = threadIdx.x; k < GROUP * inputs; k += THREADS) {
        const int64_t o = f.first + k / inputs, i = k % inputs;
        v[k] = o < f.z.outputs ? f.gain * f.s[n * inputs + i] * f.w[o * inputs + i] : 0;
    }
    __syncthreads();
    const int lane = int(threadIdx.x) % f.lanes, side = THREADS / f.lanes;
    const int64_t step = blocks_per_sample * side, start = blockIdx.x % blocks_per_sample * side;
    for (int64_t base = start; base < f.z.pixels;
         base += step) { // all threads loop equally often, as they shuffle
        const int64_t pixel = base + int(threadIdx.x) / f.lanes;
        const int64_t at = n * f.z.pixels + pixel;
        float sum[GROUP] = {};
        if (pixel < f.z.pixels)
            for (int64_t i = lane * N; i < inputs; i += f.lanes * N) {
                float part[N];
                chl::load(f.x + at * inputs + i, part);
                for (int o = 0; o < GROUP; o++) {
                    float weight[N];
                    chl::load_floats(v + o * inputs + i, weight);
                    for (int e = 0; e < N; e++) sum[o] += part[e] * weight[e];
                }
            }
        for (int apart = f.lanes / 2; apart; apart /= 2)
            for (float &e : sum) e += __shfl_xor_sync(0xffffffffu, e, apart);
        if (lane > 0 || pixel >= f.z.pixels) continue;
        for (int o = 0; o < GROUP && f.first + o < f.z.outputs; o++) {
            float value = sum[o] + f.b[f.first + o];
            if (f.clamp > 0) value = fminf(fmaxf(value, -f.clamp), f.clamp);
            const int64_t to = at * f.z.outputs + f.first + o;
            chl::put(f.y + to, value, f.add);
            if (f.below.y) f.below.y[to] = f.below.pixel(to) + value;
        }
    }
}

template <class T>
chl_kernel_status forward_in(const chl_call *call, const upsample::upsampled &below) {
    const chl_conv_attributes &a = call->attr.conv;
    const sizes z = sizes_of(call->in_desc[0], call->in_desc[1]);
    picture<T> f = {chl::in<T>(call, 0),
                    chl::in<float>(call, 1),
                    chl::in<float>(call, 2),
                    chl::in<float>(call, 3),
                    chl::out<float>(call, 0),
                    z,
                    0,
                    1,
                    a.gain,
                    a.clamp,
                    chl::adds(call, 0),
                    below};
    const int pack = z.inputs % chl::PACK<T> ? 1 : chl::PACK<T>;
    while (f.lanes < 32 && f.lanes * pack < z.inputs) f.lanes *= 2;
    const int64_t max_blocks = (z.pixels * f.lanes + THREADS - 1) / THREADS;
    int64_t blocks = 132 * 8 / z.n;
    blocks = blocks < 1 ? 1 : blocks > max_blocks ? max_blocks : blocks;
    for (; f.first < z.outputs; f.first += GROUP) {
        const auto kernel = pack == 1 ? project<1, T> : project<chl::PACK<T>, T>;
        const chl_kernel_status status = chl::status(simt::launch(
            kernel,
            {dim3(unsigned(blocks * z.n)), dim3(THREADS), size_t(GROUP * z.inputs) * sizeof(float)},
            call->stream, f, blocks));
        if (status != CHL_KERNEL_OK) return status;
    }
    return CHL_KERNEL_OK;
}
chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0] || chl_count(&call->in_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call, {}); });
}
// call: torgb upsample_fir
chl_kernel_status forward_on_colours(const chl_call *call) {
    const upsample::upsampled below = upsample::upsampled_of(call + 1);
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call, below); });
}

// --- backward: dy y x w s -> dx ds dw db ---------------------------------------------------------
template <class T> struct pixels {
    static constexpr int KEEP = GROUP, SUMS = GROUP; // v; a
    torgb::colours of;
    const T *x;
    T *dx;
    float *a; // [n, outputs, inputs]
    bool add;
    template <int N> __device__ void start(int64_t n, int64_t i, float (&keep)[GROUP][N]) const {
        of.start<N>(n, i, keep);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[GROUP][N],
                       float (&sum)[GROUP][N]) const {
        float v[N], gradient[N] = {};
        chl::load(x + p.at, v);
        of.at<N>(p, keep, v, gradient, sum);
        if (dx) chl::store(dx + p.at, gradient, add || of.first > 0);
    }
    __device__ void finish(int64_t n, int64_t i, const float (&total)[GROUP]) const {
        for (int o = 0; o < GROUP && of.first + o < of.outputs; o++)
            a[(n * of.outputs + of.first + o) * of.inputs + i] = total[o];
    }
};

struct to_style {
    const float *a, *w;
    float *ds;
    sizes z;
    float gain;
    bool add;
    template <int N> __device__ void at(int64_t at) const {
        float sum[N] = {};
        for (int e = 0; e < N; e++) {
            const int64_t n = (at + e) / z.inputs, i = (at + e) % z.inputs;
            for (int64_t o = 0; o < z.outputs; o++)
                sum[e] += w[o * z.inputs + i] * a[(n * z.outputs + o) * z.inputs + i];
            sum[e] *= gain;
        }
        chl::store(ds + at, sum, add);
    }
};
struct to_weight {
    const float *a, *s;
    float *dw;
    sizes z;
    float gain;
    bool add;
    template <int N> __device__ void at(int64_t at) const {
        float sum[N] = {};
        for (int e = 0; e < N; e++) {
            for (int64_t n = 0; n < z.n; n++)
                sum[e] +=
                    s[n * z.inputs + (at + e) % z.inputs] * a[n * z.outputs * z.inputs + at + e];
            sum[e] *= gain;
        }
        chl::store(dw + at, sum, add);
    }
};
struct to_bias {
    static constexpr int KEEP = 0, SUMS = 1;
    masked dz;
    float *db;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&sum)[1][N]) const {
        for (int e = 0; e < N; e++) sum[0][e] += dz.at(p.at + e);
    }
    __device__ void finish(int64_t, int64_t o, const float (&total)[1]) const {
        chl::put(db + o, total[0], add);
    }
};

struct space {
    float *a, *parts;
    space(const chl_call *call, chl::workspace_cursor &cursor) {
        const sizes z = sizes_of(call->in_desc[2], call->in_desc[3]);
        a = cursor.take<float>(z.n * z.outputs * z.inputs);
        const size_t columns =
            chl::columns_workspace({z.n, z.pixels, z.inputs}, call->in_desc[2].dtype, GROUP);
        const size_t bias = chl::columns_workspace({1, z.n * z.pixels, z.outputs}, CHL_F32, 1);
        parts = cursor.take<float>(int64_t((columns > bias ? columns : bias) / sizeof(float)));
    }
};
size_t backward_workspace(const chl_call *call) {
    chl::workspace_cursor cursor = {nullptr};
    space(call, cursor);
    return cursor.used;
}

template <class T> chl_kernel_status all_pixels(const chl_call *call, const space &buffers) {
    const sizes z = sizes_of(call->in_desc[2], call->in_desc[3]);
    pixels<T> f = {torgb::colours_of(call), chl::in<T>(call, 2), chl::out<T>(call, 0), buffers.a,
                   chl::adds(call, 0)};
    for (; f.of.first < z.outputs; f.of.first += GROUP) {
        const chl_kernel_status status =
            chl::columns<T>(call, {z.n, z.pixels, z.inputs}, f, buffers.parts);
        if (status != CHL_KERNEL_OK) return status;
    }
    return CHL_KERNEL_OK;
}

chl_kernel_status backward(const chl_call *call) {
    const sizes z = sizes_of(call->in_desc[2], call->in_desc[3]);
    const float gain = call->attr.conv.gain;
    chl::workspace_cursor cursor = {call->workspace};
    const space buffers(call, cursor);
    chl_kernel_status status = CHL_KERNEL_OK;
    if (call->out[0] || call->out[1] || call->out[2])
        status = chl::by_type(call->in_desc[2].dtype,
                              [&](auto zero) { return all_pixels<decltype(zero)>(call, buffers); });
    if (status == CHL_KERNEL_OK && call->out[1])
        status = chl::each<float>(call, z.n * z.inputs,
                                  to_style{buffers.a, chl::in<float>(call, 3),
                                           chl::out<float>(call, 1), z, gain, chl::adds(call, 1)});
    if (status == CHL_KERNEL_OK && call->out[2])
        status = chl::each<float>(call, z.outputs * z.inputs,
                                  to_weight{buffers.a, chl::in<float>(call, 4),
                                            chl::out<float>(call, 2), z, gain, chl::adds(call, 2)});
    if (status != CHL_KERNEL_OK || !call->out[3]) return status;
    return chl::columns<float>(
        call, {1, z.n * z.pixels, z.outputs},
        to_bias{{chl::in<float>(call, 0), chl::in<float>(call, 1), call->attr.conv.clamp},
                chl::out<float>(call, 3),
                chl::adds(call, 3)},
        buffers.parts);
}
} // namespace

const chl_body chl_cuda_torgb = {forward, nullptr, nullptr};
const chl_body chl_cuda_torgb_backward = {backward, backward_workspace, nullptr};
const chl_fused_body chl_cuda_torgb_upsample = {forward_on_colours, nullptr,
                                                chl_torgb_upsample_fits};
