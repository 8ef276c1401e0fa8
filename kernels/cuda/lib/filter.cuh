// A convolution's weight, converted between [O,I,K,K], as upstream stores it, and [O,K,K,I], as
// kernels over NHWC read it.
#pragma once
#include "cuda/lib/body.h"

namespace chl {
template <class T> struct filter_laid {
    const float *w;
    T *filter;
    int64_t channels, taps;
    float gain;
    template <int N> __device__ void at(int64_t at) const {
        float v[N];
        for (int k = 0; k < N; k++) {
            const int64_t i = (at + k) % channels, rest = (at + k) / channels;
            v[k] = gain * w[(rest / taps * channels + i) * taps + rest % taps];
        }
        store(filter + at, v, false);
    }
};
template <class T> chl_kernel_status lay_filter(const chl_call *call, const float *w, T *filter) {
    const chl_conv_attributes &a = call->attr.conv;
    const int64_t taps = int64_t(a.kernel) * a.kernel;
    return each<T>(call, a.o * taps * a.i, filter_laid<T>{w, filter, a.i, taps, a.gain});
}

// dw [O,I,K,K] = gain * the gradient stored as [O,K,K,I]
struct gradient_laid {
    const float *filter;
    float *dw;
    int64_t channels, taps;
    float gain;
    bool add;
    template <int N> __device__ void at(int64_t at) const {
        float v[N];
        for (int k = 0; k < N; k++) {
            const int64_t tap = (at + k) % taps, rest = (at + k) / taps;
            v[k] = gain * filter[(rest / channels * taps + tap) * channels + rest % channels];
        }
        store(dw + at, v, add);
    }
};
} // namespace chl
