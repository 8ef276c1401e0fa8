// StyleGAN2's skip up-sampling at one number, and its gradient, used by upsample_fir.cu, which defines
// the op, and by the calls that contain it.
#pragma once
#include "cuda/lib/body.h"

namespace upsample {
struct grid {
    int64_t h, w, channels; // sizes of the output
    __device__ void split(int64_t at, int64_t &n, int64_t &row, int64_t &column, int64_t &c) const {
        c = at % channels;
        column = at / channels % w;
        row = at / (channels * w) % h;
        n = at / (channels * w * h);
    }
};

struct upsampled {
    const float *x, *residual;
    float *y;
    grid out;
    bool add;
    __device__ float pixel(int64_t at) const {
        int64_t n, row, column, c;
        out.split(at, n, row, column, c);
        const int64_t h = out.h / 2, w = out.w / 2;
        const int64_t top = row % 2 ? row / 2 : row / 2 - 1;
        const int64_t left = column % 2 ? column / 2 : column / 2 - 1;
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            const int64_t i = top + k / 2, j = left + k % 2;
            if (i < 0 || i >= h || j < 0 || j >= w) continue;
            // of two neighbours the nearer one weighs 3/4: at odd places the first
            const float vertical = (k / 2 == row % 2) ? 0.25f : 0.75f;
            const float horizontal = (k % 2 == column % 2) ? 0.25f : 0.75f;
            sum += vertical * horizontal * x[((n * h + i) * w + j) * out.channels + c];
        }
        return sum;
    }
    template <int N> __device__ void at(int64_t i) const {
        float v[N] = {};
        if (residual) chl::load(residual + i, v);
        for (int e = 0; e < N; e++) v[e] += pixel(i + e);
        chl::store(y + i, v, add);
    }
};

inline grid written(const chl_call *call) {
    const int64_t *dim = call->out_desc[0].dim;
    return {dim[1], dim[2], dim[3]};
}
// call: an upsample_fir, x residual?
inline upsampled upsampled_of(const chl_call *call) {
    return {chl::in<float>(call, 0), call->inputs > 1 ? chl::in<float>(call, 1) : nullptr,
            chl::out<float>(call, 0), written(call), chl::adds(call, 0)};
}

struct gradient {
    const float *dy;
    float *dx;
    grid out;
    bool add;
    __device__ float pixel(int64_t at) const {
        int64_t n, row, column, c;
        out.split(at, n, row, column, c);
        float sum = 0;
        for (int k = 0; k < 16; k++) {
            const int64_t i = 2 * row - 1 + k / 4, j = 2 * column - 1 + k % 4;
            if (i < 0 || i >= 2 * out.h || j < 0 || j >= 2 * out.w) continue;
            const float vertical = k / 4 == 0 || k / 4 == 3 ? 0.25f : 0.75f;
            const float horizontal = k % 4 == 0 || k % 4 == 3 ? 0.25f : 0.75f;
            sum += vertical * horizontal *
                   dy[((n * 2 * out.h + i) * 2 * out.w + j) * out.channels + c];
        }
        return sum;
    }
    template <int N> __device__ void at(int64_t i) const {
        float v[N];
        for (int e = 0; e < N; e++) v[e] = pixel(i + e);
        chl::store(dx + i, v, add);
    }
};
// call: an upsample_fir_dx, dy
inline gradient gradient_of(const chl_call *call) {
    return {chl::in<float>(call, 0), chl::out<float>(call, 0), written(call), chl::adds(call, 0)};
}
} // namespace upsample
