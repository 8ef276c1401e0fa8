// ToRGB's gradient for some channels of one pixel, used by torgb.cu, which defines the op, and by
// the fused calls of modconv.
#pragma once
#include "cuda/lib/reduce.cuh"

namespace torgb {
constexpr int GROUP = 3; // output channels at a time: a picture has three

// dy where y was not clamped
struct masked {
    const float *dy, *y;
    float clamp;
    __device__ float at(int64_t i) const { return clamp > 0 && fabsf(y[i]) >= clamp ? 0 : dy[i]; }
};

// Output channels first ... first + 2: keeps v; adds dx = dz v; sums a = dz x.
struct colours {
    static constexpr int KEEP = GROUP, SUMS = GROUP;
    masked dz;
    const float *w, *s;
    int64_t pixels, inputs, outputs, first;
    float gain;
    template <int N> __device__ void start(int64_t n, int64_t i, float (*keep)[N]) const {
        for (int o = 0; o < GROUP; o++)
            for (int e = 0; e < N; e++)
                keep[o][e] = first + o < outputs
                                 ? gain * s[n * inputs + i + e] * w[(first + o) * inputs + i + e]
                                 : 0;
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (*keep)[N], const float (&x)[N],
                       float (&dx)[N], float (*sum)[N]) const {
        const int64_t from = (p.group * pixels + p.row) * outputs + first;
#pragma unroll
        for (int o = 0; o < GROUP; o++) {
            const float here = first + o < outputs ? dz.at(from + o) : 0;
            for (int e = 0; e < N; e++) {
                sum[o][e] += here * x[e];
                dx[e] += here * keep[o][e];
            }
        }
    }
};
// call: a torgb_backward, dy y x w s
inline colours colours_of(const chl_call *call) {
    const chl_desc &x = call->in_desc[2];
    return {{chl::in<float>(call, 0), chl::in<float>(call, 1), call->attr.conv.clamp},
            chl::in<float>(call, 3),
            chl::in<float>(call, 4),
            x.dim[1] * x.dim[2],
            x.dim[3],
            call->in_desc[3].dim[0],
            0,
            call->attr.conv.gain};
}
} // namespace torgb
