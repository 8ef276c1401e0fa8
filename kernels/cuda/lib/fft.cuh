// A complex Fourier transform in a block's shared memory: Stockham passes of radix 4, 8 and 16, one
// butterfly per thread and pass in registers, the results in natural order.
#pragma once
#include "cuda/lib/body.h"

namespace chl {
struct complex {
    float re, im;
};
__device__ inline complex operator*(complex a, complex b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// cos and sin of i sixteenths of a turn, 0 <= i < 8
__host__ __device__ constexpr float cosine16(int i) {
    constexpr float quarter[5] = {1, 0.923879533f, 0.707106781f, 0.382683432f, 0};
    return i <= 4 ? quarter[i] : -quarter[8 - i];
}
__host__ __device__ constexpr float sine16(int i) {
    return i <= 4 ? cosine16(4 - i) : cosine16(i - 4);
}

template <int R> __device__ __forceinline__ void small_fft(complex (&v)[R]) {
    if constexpr (R > 1) {
        complex even[R / 2], odd[R / 2];
        for (int k = 0; k < R / 2; k++) {
            even[k] = v[2 * k];
            odd[k] = v[2 * k + 1];
        }
        small_fft(even);
        small_fft(odd);
#pragma unroll
        for (int k = 0; k < R / 2; k++) {
            const int turn = k * 16 / R;
            const complex t = odd[k] * complex{cosine16(turn), -sine16(turn)};
            v[k] = {even[k].re + t.re, even[k].im + t.im};
            v[k + R / 2] = {even[k].re - t.re, even[k].im - t.im};
        }
    }
}

// The radix of the next pass, in bits, where `bits` of the length remain: as few passes as radix 16
// allows.
__host__ __device__ inline int radix_bits(int bits) {
    if (bits <= 4) return bits;
    return bits % 3 == 1 || (bits % 3 == 2 && bits >= 8) ? 4 : 3;
}

// The place of point i: one number is skipped after each 16, or the writes of a pass of radix 16
// would share one bank.
__device__ inline int fft_place(int i) {
    return i + i / 16;
}
__host__ __device__ inline int fft_room(int points) {
    return points + points / 16 + 1;
}

// One pass: `done` is the product of the radices of the passes before, load(i) gives point i,
// twiddle [turn] is the unit circle clockwise; a butterfly reads one entry and computes its powers.
template <int R, bool FIRST, int THREADS, class Load>
__device__ __forceinline__ void fft_pass(int points, int done, const complex *twiddle, int turn,
                                         Load load, complex *out) {
#pragma unroll 1
    for (int j = int(threadIdx.x); j < points / R; j += THREADS) {
        const int k = FIRST ? 0 : j & (done - 1);
        complex v[R];
#pragma unroll
        for (int r = 0; r < R; r++) v[r] = load(j + r * (points / R));
        if constexpr (!FIRST) {
            complex w[R];
            w[1] = twiddle[turn / (done * R) * k];
            v[1] = v[1] * w[1];
#pragma unroll
            for (int r = 2; r < R; r++) {
                w[r] = w[r / 2] * w[r - r / 2];
                v[r] = v[r] * w[r];
            }
        }
        small_fft(v);
#pragma unroll
        for (int r = 0; r < R; r++) out[fft_place((j - k) * R + k + r * (FIRST ? 1 : done))] = v[r];
    }
}

// Transforms 2^bits points, 8 or more, from load(i), with `from` and `to` as buffers that exchange
// their roles: afterwards `from` holds the result (fft_place), and all threads may read it.
template <int THREADS, class Load>
__device__ __forceinline__ void block_fft(int bits, const complex *twiddle, int turn, Load load,
                                          complex *&from, complex *&to) {
    const int points = 1 << bits;
    int left = bits - radix_bits(bits);
    if (radix_bits(bits) == 4)
        fft_pass<16, true, THREADS>(points, 1, twiddle, turn, load, from);
    else
        fft_pass<8, true, THREADS>(points, 1, twiddle, turn, load, from);
    __syncthreads();
#pragma unroll 1
    while (left > 0) {
        const complex *read = from;
        const auto reload = [read](int i) { return read[fft_place(i)]; };
        const int radix = radix_bits(left), done = points >> left;
        if (radix == 4)
            fft_pass<16, false, THREADS>(points, done, twiddle, turn, reload, to);
        else if (radix == 3)
            fft_pass<8, false, THREADS>(points, done, twiddle, turn, reload, to);
        else
            fft_pass<4, false, THREADS>(points, done, twiddle, turn, reload, to);
        left -= radix;
        complex *const swapped = from;
        from = to;
        to = swapped;
        __syncthreads();
    }
}
} // namespace chl
