// Squeeze and excitation's gate as one call (kernels/fusion_table.h): y = sigmoid(w2 relu(w1 x)) of
// x [N,C], some tens of hidden numbers, and its gradient. 4 C H FLOPs and the bytes of two weights,
// at most 64 KB in IR-SE50: the time is that of a launch. A block computes one sample; numbers are
// rounded where the four calls round them.
#include "cuda/lib/activation.cuh"
#include "cuda/lib/fused.h"
#include "fusion.h"

namespace {
using activation::derivative;
using activation::value;
constexpr int THREADS = 256, CHANNELS = CHL_GATE_CHANNELS, HIDDEN = CHL_GATE_HIDDEN;

template <class T> struct weights {
    const T *first, *second; // [hidden, channels], [channels, hidden]
    float first_gain, second_gain, slope;
    int channels, hidden;
};
// rounded to T, as the single call would store it for the next one
template <class T> __device__ inline float keep(T *to, float v) {
    chl::set(to, v);
    return chl::get(to);
}
template <class T> const T *weight_of(const chl_call *linear, int packed) {
    return static_cast<const T *>(linear->in[sizeof(T) == 2 ? packed : 1]);
}

template <class T> struct gate {
    weights<T> w;
    const T *x;
    T *before, *inner, *outer, *y; // [hidden] around ReLU, [channels] around sigmoid
};
template <class T> SIMT_KERNEL((THREADS), gate_kernel, gate<T> f) {
    SIMT_SHARED(x, float[CHANNELS]);
    SIMT_SHARED(inner, float[HIDDEN]);
    const int thread = int(threadIdx.x), lane = thread % 32, channels = f.w.channels;
    const int hidden = f.w.hidden;
    const int64_t n = blockIdx.x, c0 = n * channels, h0 = n * hidden;
    for (int c = thread; c < channels; c += THREADS) x[c] = chl::get(f.x + c0 + c);
    __syncthreads();
    for (int h = thread / 32; h < hidden; h += THREADS / 32) {
        float sum = 0;
        for (int c = lane; c < channels; c += 32)
            sum += x[c] * chl::get(f.w.first + int64_t(h) * channels + c);
        sum = simt::warp_sum(sum);
        if (lane == 0) {
            const float before = keep(f.before + h0 + h, f.w.first_gain * sum);
            inner[h] = keep(f.inner + h0 + h, value<CHL_LEAKY_RELU>(before, f.w.slope));
        }
    }
    __syncthreads();
    for (int c = thread; c < channels; c += THREADS) {
        float sum = 0;
        for (int h = 0; h < hidden; h++)
            sum += inner[h] * chl::get(f.w.second + int64_t(c) * hidden + h);
        const float outer = keep(f.outer + c0 + c, f.w.second_gain * sum);
        chl::set(f.y + c0 + c, value<CHL_SIGMOID>(outer, 0));
    }
}

template <class T> struct gate_gradient {
    weights<T> w;
    const T *dy, *outer, *before;
    T *d_outer, *d_inner, *d_before, *dx;
};
template <class T> SIMT_KERNEL((THREADS), gate_gradient_kernel, gate_gradient<T> f) {
    SIMT_SHARED(outer, float[CHANNELS]);
    SIMT_SHARED(before, float[HIDDEN]);
    const int thread = int(threadIdx.x), lane = thread % 32, channels = f.w.channels;
    const int hidden = f.w.hidden;
    const int64_t n = blockIdx.x, c0 = n * channels, h0 = n * hidden;
    for (int c = thread; c < channels; c += THREADS) {
        const float slope = derivative<CHL_SIGMOID>(chl::get(f.outer + c0 + c), 0);
        outer[c] = keep(f.d_outer + c0 + c, chl::get(f.dy + c0 + c) * slope);
    }
    __syncthreads();
    for (int h = thread / 32; h < hidden; h += THREADS / 32) {
        float sum = 0;
        for (int c = lane; c < channels; c += 32)
            sum += outer[c] * chl::get(f.w.second + int64_t(c) * hidden + h);
        sum = simt::warp_sum(sum);
        if (lane == 0) {
            const float inner = keep(f.d_inner + h0 + h, f.w.second_gain * sum);
            const float steep = derivative<CHL_LEAKY_RELU>(chl::get(f.before + h0 + h), f.w.slope);
            before[h] = keep(f.d_before + h0 + h, inner * steep);
        }
    }
    __syncthreads();
    for (int c = thread; c < channels; c += THREADS) {
        float sum = 0;
        for (int h = 0; h < hidden; h++)
            sum += before[h] * chl::get(f.w.first + int64_t(h) * channels + c);
        chl::set(f.dx + c0 + c, f.w.first_gain * sum);
    }
}

// call: linear activation linear activation
template <class T> chl_kernel_status forward_in(const chl_call *call) {
    const chl_desc &x = call[0].in_desc[0], &inner = call[2].in_desc[0];
    const gate<T> f = {{weight_of<T>(call, 3), weight_of<T>(call + 2, 3), call[0].attr.linear.gain,
                        call[2].attr.linear.gain, call[1].attr.activation.slope, int(x.dim[1]),
                        int(inner.dim[1])},
                       chl::in<T>(call, 0),
                       chl::out<T>(call, 0),
                       chl::out<T>(call + 1, 0),
                       chl::out<T>(call + 2, 0),
                       chl::out<T>(call + 3, 0)};
    return chl::status(
        simt::launch(gate_kernel<T>, {dim3(unsigned(x.dim[0])), dim3(THREADS)}, call->stream, f));
}
// call: activation_dx linear_dx activation_dx linear_dx
template <class T> chl_kernel_status backward_in(const chl_call *call) {
    const chl_desc &dy = call[0].in_desc[0], &inner = call[2].in_desc[0];
    const gate_gradient<T> f = {{weight_of<T>(call + 3, 2), weight_of<T>(call + 1, 2),
                                 call[3].attr.linear.gain, call[1].attr.linear.gain,
                                 call[2].attr.activation.slope, int(dy.dim[1]), int(inner.dim[1])},
                                chl::in<T>(call, 0),
                                chl::in<T>(call, 1),
                                chl::in<T>(call + 2, 1),
                                chl::out<T>(call, 0),
                                chl::out<T>(call + 1, 0),
                                chl::out<T>(call + 2, 0),
                                chl::out<T>(call + 3, 0)};
    return chl::status(simt::launch(gate_gradient_kernel<T>,
                                    {dim3(unsigned(dy.dim[0])), dim3(THREADS)}, call->stream, f));
}
chl_kernel_status forward(const chl_call *call) {
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_in<decltype(zero)>(call); });
}
chl_kernel_status backward(const chl_call *call) {
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return backward_in<decltype(zero)>(call); });
}
} // namespace

const chl_fused_body chl_cuda_gate = {forward, nullptr, chl_gate_fits};
const chl_fused_body chl_cuda_gate_backward = {backward, nullptr, chl_gate_backward_fits};
