// The spectrum of 2048 real samples by one warp: 1024 complex points (even samples real, odd
// imaginary), 32 in the registers of each lane. Two transforms of 32 points with an exchange through
// shared memory between them and no barrier of the block; all lanes are busy all the time.
#pragma once
#include "cuda/lib/fft.cuh"

namespace chl {
constexpr int WARP_FFT = 2048, WARP_POINTS = WARP_FFT / 2;
constexpr int EXCHANGE_PITCH = 33; // an odd number of points: columns lie in different banks

// cos of i thirty-seconds of a turn, 0 <= i <= 8
__host__ __device__ constexpr float cosine32(int i) {
    constexpr float quarter[9] = {1,
                                  0.980785280f,
                                  0.923879533f,
                                  0.831469612f,
                                  0.707106781f,
                                  0.555570233f,
                                  0.382683432f,
                                  0.195090322f,
                                  0};
    return quarter[i];
}

// even, odd -> even + w odd, even - w odd; w is `turn` thirty-seconds of a turn clockwise, 0 to 15
__device__ __forceinline__ void butterfly(complex &even, complex &odd, int turn) {
    const complex e = even, o = odd;
    if (turn == 0) {
        even = {e.re + o.re, e.im + o.im};
        odd = {e.re - o.re, e.im - o.im};
    } else if (turn == 8) {
        even = {e.re + o.im, e.im - o.re};
        odd = {e.re - o.im, e.im + o.re};
    } else {
        const float c = turn < 8 ? cosine32(turn) : -cosine32(16 - turn);
        const float s = turn < 8 ? cosine32(8 - turn) : cosine32(turn - 8);
        even = {e.re + o.re * c + o.im * s, e.im + o.im * c - o.re * s};
        odd = {fmaf(2, e.re, -even.re), fmaf(2, e.im, -even.im)};
    }
}
// The transform of R points whose first butterflies, of v[r] and v[r + R/2], are done.
template <int R> __device__ __forceinline__ void register_fft(complex (&v)[R]) {
    if constexpr (R > 2) {
        complex even[R / 2], odd[R / 2];
#pragma unroll
        for (int k = 0; k < R / 2; k++) {
            even[k] = v[2 * k];
            odd[k] = v[2 * k + 1];
        }
        register_fft(even);
        register_fft(odd);
#pragma unroll
        for (int k = 0; k < R / 2; k++) {
            butterfly(even[k], odd[k], k * 32 / R);
            v[k] = even[k];
            v[k + R / 2] = odd[k];
        }
    }
}

// turned [32 r + lane] = the unit circle at lane r of 1024 parts, clockwise; `twiddle` has 2048
// parts.
template <int THREADS>
__device__ inline void lay_out_turns(const complex *twiddle, complex *turned) {
    const int lane = int(threadIdx.x) % 32;
    const float2 *from = reinterpret_cast<const float2 *>(twiddle);
    float2 *to = reinterpret_cast<float2 *>(turned) + lane;
#pragma unroll
    for (int r = 0; r < 32; r += THREADS / 32) {
        const int row = r + int(threadIdx.x) / 32;
        to[32 * row] = from[2 * row * lane];
    }
}

// Transforms the warp's points, of which lane l has l + 32 r in v[r], the first butterflies done;
// afterwards it has the same ones. `exchange`: 32 EXCHANGE_PITCH points of the warp's own.
__device__ __forceinline__ void warp_fft(complex (&v)[32], const complex *turned,
                                         complex *exchange) {
    const int lane = int(threadIdx.x) % 32;
    float2 *to = reinterpret_cast<float2 *>(exchange) + lane;
    register_fft(v);
    __syncwarp(); // of what lies in `exchange`
#pragma unroll
    for (int r = 0; r < 32; r++) to[r * EXCHANGE_PITCH] = {v[r].re, v[r].im};
    __syncwarp();
    const float2 *from = reinterpret_cast<const float2 *>(exchange) + lane * EXCHANGE_PITCH;
    const float2 *turns = reinterpret_cast<const float2 *>(turned) + lane;
#pragma unroll
    for (int r = 0; r < 16; r++) { // turned, and the first butterflies
        const float2 a = from[r], b = from[r + 16], u = turns[32 * r], w = turns[32 * r + 512];
        const complex e = r ? complex{a.x, a.y} * complex{u.x, u.y} : complex{a.x, a.y};
        v[r] = {e.re + b.x * w.x - b.y * w.y, e.im + b.x * w.y + b.y * w.x};
        v[r + 16] = {fmaf(2, e.re, -v[r].re), fmaf(2, e.im, -v[r].im)};
    }
    register_fft(v);
}

// Four times the power of the 1025 frequencies of the samples whose points were transformed: with
// E = Z[k] + conj Z[M-k] and O = -i (Z[k] - conj Z[M-k]), 2 X[k] = E + w^k O and
// 2 conj X[M-k] = E - w^k O. Point M-k of lane l is point 31 - r of lane 32 - l.
__device__ __forceinline__ void warp_power(const complex (&v)[32], const complex *twiddle,
                                           float *power) {
    const int lane = int(threadIdx.x) % 32, partner = (32 - lane) % 32;
    const float2 *turns = reinterpret_cast<const float2 *>(twiddle) + lane;
    float *up = power + lane, *down = power + WARP_POINTS - lane;
    if (lane == 0) power[WARP_POINTS / 2] = 4 * (v[16].re * v[16].re + v[16].im * v[16].im);
#pragma unroll
    for (int r = 0; r < 16; r++) {
        const complex given = lane ? v[31 - r] : v[(32 - r) % 32], a = v[r];
        const complex b = {__shfl_sync(0xffffffffu, given.re, partner),
                           __shfl_sync(0xffffffffu, given.im, partner)};
        const float2 turn = turns[32 * r];
        const complex even = {a.re + b.re, a.im - b.im}, odd = {a.im + b.im, b.re - a.re};
        const complex sum = {even.re + odd.re * turn.x - odd.im * turn.y,
                             even.im + odd.re * turn.y + odd.im * turn.x};
        const complex difference = {fmaf(2, even.re, -sum.re), fmaf(2, even.im, -sum.im)};
        up[32 * r] = sum.re * sum.re + sum.im * sum.im;
        down[-32 * r] = difference.re * difference.re + difference.im * difference.im;
    }
}
} // namespace chl
