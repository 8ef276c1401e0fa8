// Squeeze and excitation's gate of one sample [Hu et al. 2018], by one block: y = sigmoid(w2 relu(w1
// x)) of x [C], some tens of hidden numbers, and its gradient. For the fused calls that contain it
// (gate_fused.cu, squeeze_fused.cu). Numbers are rounded where the single calls round them.
#pragma once
#include "cuda/lib/activation.cuh"
#include "cuda/lib/fused.h"
#include "fusion.h"

namespace gate {
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

// the sum of x[i] w[i * step] over every `stride`-th i < count, from `first` on
template <class T>
__device__ inline float dot(const float *x, const T *w, int64_t step, int first, int count,
                            int stride) {
    float sum = 0;
    for (int i = first; i < count; i += stride) sum += x[i] * chl::get(w + i * step);
    return sum;
}

template <class T> struct excitation {
    weights<T> w;
    T *before, *inner, *outer, *y; // [hidden] around ReLU, [channels] around sigmoid
};
// call: linear activation linear activation
template <class T> excitation<T> excitation_of(const chl_call *call) {
    return {{weight_of<T>(call, 3), weight_of<T>(call + 2, 3), call[0].attr.linear.gain,
             call[2].attr.linear.gain, call[1].attr.activation.slope,
             int(call[0].in_desc[0].dim[1]), int(call[2].in_desc[0].dim[1])},
            chl::out<T>(call, 0),
            chl::out<T>(call + 1, 0),
            chl::out<T>(call + 2, 0),
            chl::out<T>(call + 3, 0)};
}
// x [channels] lies in shared memory, and all threads see it.
template <class T>
__device__ inline void excite(const excitation<T> &f, int64_t n, const float *x) {
    SIMT_SHARED(inner, float[HIDDEN]);
    const int thread = int(threadIdx.x), lane = thread % 32, channels = f.w.channels;
    const int hidden = f.w.hidden;
    const int64_t c0 = n * channels, h0 = n * hidden;
    for (int h = thread / 32; h < hidden; h += THREADS / 32) {
        const T *w = f.w.first + int64_t(h) * channels;
        const float sum = simt::warp_sum(dot(x, w, 1, lane, channels, 32));
        if (lane == 0) {
            const float before = keep(f.before + h0 + h, f.w.first_gain * sum);
            inner[h] = keep(f.inner + h0 + h, value<CHL_LEAKY_RELU>(before, f.w.slope));
        }
    }
    __syncthreads();
    for (int c = thread; c < channels; c += THREADS) {
        const float sum = dot(inner, f.w.second + int64_t(c) * hidden, 1, 0, hidden, 1);
        const float outer = keep(f.outer + c0 + c, f.w.second_gain * sum);
        chl::set(f.y + c0 + c, value<CHL_SIGMOID>(outer, 0));
    }
}

template <class T> struct excitation_gradient {
    weights<T> w;
    const T *outer, *before;
    T *d_outer, *d_inner, *d_before, *dx;
};
// call: activation_dx linear_dx activation_dx linear_dx
template <class T> excitation_gradient<T> excitation_gradient_of(const chl_call *call) {
    return {{weight_of<T>(call + 3, 2), weight_of<T>(call + 1, 2), call[3].attr.linear.gain,
             call[1].attr.linear.gain, call[2].attr.activation.slope,
             int(call[0].in_desc[0].dim[1]), int(call[2].in_desc[0].dim[1])},
            chl::in<T>(call, 1),
            chl::in<T>(call + 2, 1),
            chl::out<T>(call, 0),
            chl::out<T>(call + 1, 0),
            chl::out<T>(call + 2, 0),
            chl::out<T>(call + 3, 0)};
}
// dy [channels] lies in shared memory; each thread has written the channels that it reads first,
// every THREADS-th. It is overwritten.
template <class T>
__device__ inline void excite_back(const excitation_gradient<T> &f, int64_t n, float *dy) {
    SIMT_SHARED(before, float[HIDDEN]);
    const int thread = int(threadIdx.x), lane = thread % 32, channels = f.w.channels;
    const int hidden = f.w.hidden;
    const int64_t c0 = n * channels, h0 = n * hidden;
    for (int c = thread; c < channels; c += THREADS) {
        const float slope = derivative<CHL_SIGMOID>(chl::get(f.outer + c0 + c), 0);
        dy[c] = keep(f.d_outer + c0 + c, dy[c] * slope);
    }
    __syncthreads();
    for (int h = thread / 32; h < hidden; h += THREADS / 32) {
        const float sum = simt::warp_sum(dot(dy, f.w.second + h, hidden, lane, channels, 32));
        if (lane == 0) {
            const float inner = keep(f.d_inner + h0 + h, f.w.second_gain * sum);
            const float steep = derivative<CHL_LEAKY_RELU>(chl::get(f.before + h0 + h), f.w.slope);
            before[h] = keep(f.d_before + h0 + h, inner * steep);
        }
    }
    __syncthreads();
    for (int c = thread; c < channels; c += THREADS) {
        const float sum = dot(before, f.w.first + c, channels, 0, hidden, 1);
        chl::set(f.dx + c0 + c, f.w.first_gain * sum);
    }
}
} // namespace gate
