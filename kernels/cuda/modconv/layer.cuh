// The epilogue of a layer, forward and backward, for N neighbouring channels of one pixel. v is the
// convolution's result:
//     y = clamp(gain * lrelu(d v + strength * noise + b))
// The backward inverts the leaky ReLU, so it needs y and no other saved value.
#pragma once
#include "cuda/lib/reduce.cuh"

namespace modconv {
using chl::place;

struct layer {
    static constexpr int KEEP = 2; // numbers kept per channel: d, b
    const float *d, *noise, *strength, *b;
    int64_t noise_step, channels;
    float slope, gain, clamp;

    template <int N> __device__ void start(int64_t n, int64_t column, float (*keep)[N]) const {
        for (int e = 0; e < N; e++) {
            keep[0][e] = d ? d[n * channels + column + e] : 1;
            keep[1][e] = b ? b[column + e] : 0;
        }
    }
    __device__ float picture(const place &p) const {
        return noise ? noise[p.group * noise_step + p.row] : 0;
    }
    // turns v into y
    template <int N>
    __device__ void forward(const place &p, const float (*keep)[N], float (&v)[N]) const {
        const float added = noise ? *strength * picture(p) : 0;
        for (int e = 0; e < N; e++) {
            float z = keep[0][e] * v[e] + added + keep[1][e];
            z *= z > 0 ? gain : gain * slope;
            v[e] = clamp > 0 ? fminf(fmaxf(z, -clamp), clamp) : z;
        }
    }
    // turns dy into dz, and y into d v
    template <int N>
    __device__ void backward(float picture, const float (*keep)[N], float (&dy)[N],
                             float (&y)[N]) const {
        const float added = noise ? picture * *strength : 0;
        for (int e = 0; e < N; e++) {
            const float steep = y[e] > 0 ? gain : gain * slope;
            dy[e] *= clamp > 0 && fabsf(y[e]) >= clamp ? 0 : steep;
            y[e] = y[e] / steep - added - keep[1][e];
        }
    }
};

// The layer of a call whose inputs from `first` on are d? noise? strength? b?; y has `pixels`
// pixels.
inline layer layer_of(const chl_call *call, int first, int64_t pixels) {
    const chl_conv_attributes &a = call->attr.conv;
    layer of = {};
    of.d = chl::in<float>(call, first);
    of.strength = chl::in<float>(call, first + 2);
    of.noise = of.strength ? chl::in<float>(call, first + 1) : nullptr;
    of.noise_step = call->in_desc[first + 1].rank == 3 ? pixels : 0;
    of.b = chl::in<float>(call, first + 3);
    of.channels = a.o;
    of.slope = a.slope;
    of.gain = a.act_gain;
    of.clamp = a.clamp;
    return of;
}
// The layer of a backward call. A bf16 y was clamped first and rounded then, so the clamp it is
// compared with is rounded, too.
inline layer layer_behind(const chl_call *call, int first, const chl_desc &y) {
    layer of = layer_of(call, first, y.dim[1] * y.dim[2]);
    if (y.dtype == CHL_BF16) of.clamp = __bfloat162float(__float2bfloat16(of.clamp));
    return of;
}
} // namespace modconv
