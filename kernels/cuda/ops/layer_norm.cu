// Layer normalisation over the last axis [Ba et al. 2016]: y = (x - mean) rstd gamma + beta, biased
// variance; stat [...,2] keeps (mean, rstd). Backward: dx = rstd (g - mean(g) - xhat mean(g xhat)),
// g = dy gamma; dgamma = sum dy xhat, dbeta = sum dy.
//
// 4 bytes (bf16) an element forward, 6 backward, some 8 and 12 FLOP: bound by memory. Rows of up to
// 32 elements a lane stay in registers, 16 or 32 lanes to a row, and the backward computes dx and
// the rows' sums from one read. A longer row is computed by a block, which reads x again from the
// cache.
#include "cuda/lib/fused.h"
#include "cuda/lib/reduce.cuh"
#include "fusion.h"
#include <type_traits>

namespace {
constexpr int THREADS = 128;
constexpr int64_t MAX_BLOCKS = 132 * 64; // several waves: a partly filled last one costs little

template <int LANES> __device__ float lanes_sum(float v) {
    for (int step = LANES / 2; step; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
}

// --- rows in registers ---------------------------------------------------------------------------
template <class T, int LANES, int PACKS> struct lane {
    static constexpr int N = chl::PACK<T>, ROWS = THREADS / LANES;
    int64_t row;
    int first, width; // pack p starts at column first + p LANES N
    bool in_rows;
    __device__ lane(int64_t base, int64_t rows, int width_)
        : row(base + int(threadIdx.x) / LANES), first(int(threadIdx.x) % LANES * N), width(width_),
          in_rows(row < rows) {}
    __device__ int column(int p) const { return first + p * LANES * N; }
    __device__ bool has(int p) const { return in_rows && column(p) < width; }
    __device__ int64_t at(int p) const { return row * width + column(p); }
    // zeros where the row has ended
    __device__ void read(const T *x, float (&v)[PACKS][N]) const {
#pragma unroll
        for (int p = 0; p < PACKS; p++) {
            for (int e = 0; e < N; e++) v[p][e] = 0;
            if (has(p)) chl::load(x + at(p), v[p]);
        }
    }
};

template <class T> struct forward_call {
    const T *x;
    const float *gamma, *beta;
    T *y;
    float *stat;
    int64_t rows, width;
    float eps;
    bool add_y, add_stat;
    const T *other = nullptr; // fused with a sum: x + other is what is normalised, and goes to
    T *total = nullptr;
    __device__ void put_stat(int64_t row, float mean, float rstd) const {
        if (!stat) return;
        chl::put(stat + 2 * row, mean, add_stat);
        chl::put(stat + 2 * row + 1, rstd, add_stat);
    }
    template <int N>
    __device__ void put_row(int64_t row, int64_t column, float mean, float rstd,
                            const float (&x_)[N]) const {
        float v[N], scale[N], shift[N];
        if (!y) return;
        chl::load_floats(gamma + column, scale);
        chl::load_floats(beta + column, shift);
        for (int e = 0; e < N; e++) v[e] = (x_[e] - mean) * rstd * scale[e] + shift[e];
        chl::store(y + row * width + column, v, add_y);
    }
};

// Replaces x by the sum, rounded as it is stored: the backward reads these numbers.
template <class T, int LANES, int PACKS>
__device__ inline void add_other(const forward_call<T> &f, const lane<T, LANES, PACKS> &at,
                                 float (&x)[PACKS][chl::PACK<T>]) {
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
        if (!at.has(p)) continue;
        float other[chl::PACK<T>];
        chl::load(f.other + at.at(p), other);
        for (int e = 0; e < chl::PACK<T>; e++) {
            T rounded;
            chl::set(&rounded, x[p][e] + other[e]);
            x[p][e] = chl::get(&rounded);
        }
        chl::store(f.total + at.at(p), x[p], false);
    }
}

template <class T, int LANES, int PACKS, bool SUMMED>
SIMT_KERNEL((THREADS), short_rows, forward_call<T> f) {
    using own = lane<T, LANES, PACKS>;
    constexpr int N = own::N;
    const int64_t step = int64_t(gridDim.x) * own::ROWS;
    for (int64_t base = int64_t(blockIdx.x) * own::ROWS; base < f.rows; base += step) {
        const own at(base, f.rows, int(f.width));
        float x[PACKS][N], sum = 0, square = 0;
        at.read(f.x, x);
        if constexpr (SUMMED) add_other(f, at, x);
        for (int p = 0; p < PACKS; p++)
            for (int e = 0; e < N; e++) sum += x[p][e];
        const float mean = lanes_sum<LANES>(sum) / float(f.width);
#pragma unroll
        for (int p = 0; p < PACKS; p++)
            for (int e = 0; e < N && at.has(p); e++) square += (x[p][e] - mean) * (x[p][e] - mean);
        const float rstd = 1.0f / sqrtf(lanes_sum<LANES>(square) / float(f.width) + f.eps);
        if (at.in_rows && at.first == 0) f.put_stat(at.row, mean, rstd);
#pragma unroll
        for (int p = 0; p < PACKS; p++)
            if (at.has(p)) f.put_row(at.row, at.column(p), mean, rstd, x[p]);
    }
}

template <class T> struct backward_call {
    const T *dy, *x;
    const float *gamma, *stat;
    T *dx;
    float *partial; // [blocks][2][width]
    int64_t rows, width;
    bool add;
};

// Adds the sums of the block's rows, column by column, in order of the rows.
template <class L, int SIZE>
__device__ void fold_rows(const L &at, const float (&sum)[2][SIZE], float *partial) {
    constexpr int LANES = THREADS / L::ROWS, WIDE = LANES * SIZE; // columns of a row of lanes
    SIMT_SHARED(share, float[2][L::ROWS][WIDE]);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < SIZE; i++)
            share[s][int(threadIdx.x) / LANES][at.column(i / L::N) + i % L::N] = sum[s][i];
    __syncthreads();
    for (int i = int(threadIdx.x); i < 2 * at.width; i += THREADS) {
        float total = 0;
        for (int r = 0; r < L::ROWS; r++) total += share[i / at.width][r][i % at.width];
        partial[i] = total;
    }
}

template <class T, int LANES, int PACKS, bool SUMS>
SIMT_KERNEL((THREADS), short_rows_backward, backward_call<T> f) {
    using own = lane<T, LANES, PACKS>;
    constexpr int N = own::N;
    const int64_t step = int64_t(gridDim.x) * own::ROWS;
    float sums[2][SUMS ? PACKS * N : 1] = {};
    for (int64_t base = int64_t(blockIdx.x) * own::ROWS; base < f.rows; base += step) {
        const own at(base, f.rows, int(f.width));
        float x[PACKS][N], g[PACKS][N], sum = 0, dot = 0;
        at.read(f.x, x);
        at.read(f.dy, g);
        const float mean = at.in_rows ? f.stat[2 * at.row] : 0;
        const float rstd = at.in_rows ? f.stat[2 * at.row + 1] : 0;
#pragma unroll
        for (int p = 0; p < PACKS; p++) {
            float gamma[N] = {};
            if (at.has(p)) chl::load_floats(f.gamma + at.column(p), gamma);
#pragma unroll
            for (int e = 0; e < N; e++) {
                x[p][e] = (x[p][e] - mean) * rstd;
                if constexpr (SUMS) {
                    sums[0][p * N + e] += g[p][e] * x[p][e];
                    sums[1][p * N + e] += g[p][e];
                }
                g[p][e] *= gamma[e];
                sum += g[p][e];
                dot += g[p][e] * x[p][e];
            }
        }
        const float mean_g = lanes_sum<LANES>(sum) / float(f.width);
        const float mean_gx = lanes_sum<LANES>(dot) / float(f.width);
#pragma unroll
        for (int p = 0; p < PACKS; p++) {
            if (!f.dx || !at.has(p)) continue;
            for (int e = 0; e < N; e++) g[p][e] = rstd * (g[p][e] - mean_g - x[p][e] * mean_gx);
            chl::store(f.dx + at.at(p), g[p], f.add);
        }
    }
    if constexpr (SUMS)
        fold_rows(own(0, 1, int(f.width)), sums, f.partial + blockIdx.x * 2 * f.width);
}

// --- a block per row -----------------------------------------------------------------------------
template <class T, int N> SIMT_KERNEL((THREADS), long_rows, forward_call<T> f) {
    const int64_t row = blockIdx.x, first = int64_t(threadIdx.x) * N;
    const T *x = f.x + row * f.width;
    float v[N], sum = 0, square = 0;
    for (int64_t c = first; c < f.width; c += THREADS * N) {
        chl::load(x + c, v);
        for (int e = 0; e < N; e++) sum += v[e];
    }
    const float mean = chl::block_sum<THREADS>(sum) / float(f.width);
    for (int64_t c = first; c < f.width; c += THREADS * N) {
        chl::load(x + c, v);
        for (int e = 0; e < N; e++) square += (v[e] - mean) * (v[e] - mean);
    }
    const float rstd = 1.0f / sqrtf(chl::block_sum<THREADS>(square) / float(f.width) + f.eps);
    if (threadIdx.x == 0) f.put_stat(row, mean, rstd);
    for (int64_t c = first; c < f.width; c += THREADS * N) {
        chl::load(x + c, v);
        f.put_row(row, c, mean, rstd, v);
    }
}

template <class T, int N> SIMT_KERNEL((THREADS), long_rows_dx, backward_call<T> f) {
    const int64_t row = blockIdx.x, first = int64_t(threadIdx.x) * N;
    const T *x = f.x + row * f.width, *dy = f.dy + row * f.width;
    const float mean = f.stat[2 * row], rstd = f.stat[2 * row + 1];
    float v[N], g[N], gamma[N], sum = 0, dot = 0;
    const auto read = [&](int64_t c) { // xhat and dy gamma
        chl::load(x + c, v);
        chl::load(dy + c, g);
        chl::load_floats(f.gamma + c, gamma);
        for (int e = 0; e < N; e++) v[e] = (v[e] - mean) * rstd;
        for (int e = 0; e < N; e++) g[e] *= gamma[e];
    };
    for (int64_t c = first; c < f.width; c += THREADS * N) {
        read(c);
        for (int e = 0; e < N; e++) sum += g[e];
        for (int e = 0; e < N; e++) dot += g[e] * v[e];
    }
    const float mean_g = chl::block_sum<THREADS>(sum) / float(f.width);
    const float mean_gx = chl::block_sum<THREADS>(dot) / float(f.width);
    for (int64_t c = first; c < f.width; c += THREADS * N) {
        read(c);
        for (int e = 0; e < N; e++) g[e] = rstd * (g[e] - mean_g - v[e] * mean_gx);
        chl::store(f.dx + row * f.width + c, g, f.add);
    }
}

// dgamma and dbeta of rows that no kernel above holds.
template <class T> struct rows_sums {
    static constexpr int KEEP = 0, SUMS = 2;
    const T *dy, *x;
    const float *stat;
    float *dgamma, *dbeta;
    bool add_gamma, add_beta;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&sum)[2][N]) const {
        const float mean = stat[2 * p.row], rstd = stat[2 * p.row + 1];
        float v[N], d[N];
        chl::load(x + p.at, v);
        chl::load(dy + p.at, d);
        for (int e = 0; e < N; e++) sum[0][e] += d[e] * ((v[e] - mean) * rstd);
        for (int e = 0; e < N; e++) sum[1][e] += d[e];
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[2]) const {
        if (dgamma) chl::put(dgamma + column, total[0], add_gamma);
        if (dbeta) chl::put(dbeta + column, total[1], add_beta);
    }
};

// --- the choice of a kernel ----------------------------------------------------------------------
// Calls f(lanes, packs) for the kernel that holds such a row in registers; returns false where none
// does.
template <class T, class F> bool by_width(int64_t width, F f) {
    constexpr int N = chl::PACK<T>;
    const auto call = [&](auto lanes, auto packs) {
        constexpr int LANES = decltype(lanes)::value, PACKS = decltype(packs)::value;
        if constexpr (PACKS * N <= 32) {
            if (width > LANES * PACKS * N) return false;
            f(lanes, packs);
            return true;
        }
        return false;
    };
    const std::integral_constant<int, 16> half;
    const std::integral_constant<int, 32> whole;
    if (width % N) return false;
    return call(half, std::integral_constant<int, 1>()) ||
           call(whole, std::integral_constant<int, 1>()) ||
           call(whole, std::integral_constant<int, 2>()) ||
           call(whole, std::integral_constant<int, 3>()) ||
           call(whole, std::integral_constant<int, 4>()) ||
           call(whole, std::integral_constant<int, 6>()) ||
           call(whole, std::integral_constant<int, 8>());
}

unsigned blocks_for(int64_t rows, int rows_a_block, int64_t max_blocks) {
    const int64_t blocks = (rows + rows_a_block - 1) / rows_a_block;
    return unsigned(blocks < max_blocks ? blocks : max_blocks);
}

template <class T> forward_call<T> forward_of(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    return {chl::in<T>(call, 0),
            chl::in<float>(call, 1),
            chl::in<float>(call, 2),
            chl::out<T>(call, 0),
            chl::out<float>(call, 1),
            v.rows,
            v.width,
            call->attr.norm.eps,
            chl::adds(call, 0),
            chl::adds(call, 1)};
}
// false: no kernel holds such a row in registers
template <bool SUMMED, class T>
bool run_short_rows(const chl_call *call, const forward_call<T> &f, chl_kernel_status *status) {
    return by_width<T>(f.width, [&](auto lanes, auto packs) {
        constexpr int LANES = decltype(lanes)::value, PACKS = decltype(packs)::value;
        const unsigned grid = blocks_for(f.rows, THREADS / LANES, MAX_BLOCKS);
        *status = chl::status(simt::launch(short_rows<T, LANES, PACKS, SUMMED>,
                                           {dim3(grid), dim3(THREADS)}, call->stream, f));
    });
}
template <class T> chl_kernel_status forward_as(const chl_call *call) {
    const forward_call<T> f = forward_of<T>(call);
    chl_kernel_status status = CHL_KERNEL_OK;
    if (run_short_rows<false>(call, f, &status)) return status;
    constexpr int N = chl::PACK<T>;
    return chl::status(simt::launch(f.width % N ? long_rows<T, 1> : long_rows<T, N>,
                                    {dim3(unsigned(f.rows)), dim3(THREADS)}, call->stream, f));
}

chl_kernel_status forward(const chl_call *call) {
    if (chl_count(&call->in_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return forward_as<decltype(zero)>(call); });
}

// Blocks of the backward that sums: as many as the largest chip runs at once, given the registers
// that 5 x elements a lane need, with at least two rows for each of a block's rows of lanes.
template <class T, int LANES, int PACKS> unsigned summing_blocks(int64_t rows) {
    constexpr int SIZE = PACKS * chl::PACK<T>;
    return blocks_for(rows, 2 * THREADS / LANES,
                      132 * (SIZE <= 8    ? 8
                             : SIZE <= 16 ? 5
                             : SIZE <= 24 ? 3
                                          : 2));
}

template <class T>
chl_kernel_status long_backward(const chl_call *call, const chl::view &v, const backward_call<T> &f,
                                const rows_sums<T> &sums) {
    constexpr int N = chl::PACK<T>;
    if (sums.dgamma || sums.dbeta) {
        const chl_kernel_status status = chl::columns<T>(call, v, sums, f.partial);
        if (status != CHL_KERNEL_OK) return status;
    }
    if (!f.dx) return CHL_KERNEL_OK;
    return chl::status(simt::launch(v.width % N ? long_rows_dx<T, 1> : long_rows_dx<T, N>,
                                    {dim3(unsigned(v.rows)), dim3(THREADS)}, call->stream, f));
}

template <class T> chl_kernel_status backward_as(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    const backward_call<T> f = {chl::in<T>(call, 0),
                                chl::in<T>(call, 1),
                                chl::in<float>(call, 2),
                                chl::in<float>(call, 3),
                                chl::out<T>(call, 0),
                                static_cast<float *>(call->workspace),
                                v.rows,
                                v.width,
                                chl::adds(call, 0)};
    const rows_sums<T> sums = {f.dy,
                               f.x,
                               f.stat,
                               chl::out<float>(call, 1),
                               chl::out<float>(call, 2),
                               chl::adds(call, 1),
                               chl::adds(call, 2)};
    const bool summed = sums.dgamma || sums.dbeta;
    chl_kernel_status status = CHL_KERNEL_OK;
    const bool fits = by_width<T>(v.width, [&](auto lanes, auto packs) {
        constexpr int LANES = decltype(lanes)::value, PACKS = decltype(packs)::value;
        const unsigned grid = summed ? summing_blocks<T, LANES, PACKS>(v.rows)
                                     : blocks_for(v.rows, THREADS / LANES, MAX_BLOCKS);
        status = chl::status(simt::launch(summed ? short_rows_backward<T, LANES, PACKS, true>
                                                 : short_rows_backward<T, LANES, PACKS, false>,
                                          {dim3(grid), dim3(THREADS)}, call->stream, f));
        if (summed && status == CHL_KERNEL_OK)
            status = chl::finish_columns(call, 1, v.width, grid, f.partial, sums);
    });
    return fits ? status : long_backward(call, v, f, sums);
}

chl_kernel_status backward(const chl_call *call) {
    if (chl_count(&call->in_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return backward_as<decltype(zero)>(call); });
}

template <class T> size_t workspace_as(const chl_call *call) {
    const chl::view v = chl::rows_of(call->in_desc[0]);
    size_t bytes = chl::columns_workspace(v, call->in_desc[0].dtype, 2);
    by_width<T>(v.width, [&](auto lanes, auto packs) {
        bytes = summing_blocks<T, decltype(lanes)::value, decltype(packs)::value>(v.rows) *
                size_t(2 * v.width) * sizeof(float);
    });
    return bytes;
}
size_t backward_workspace(const chl_call *call) {
    return call->in_desc[0].dtype == CHL_F32 ? workspace_as<float>(call)
                                             : workspace_as<chl::bf16>(call);
}

// --- sum, layer_norm (kernels/fusion_table.h) ----------------------------------------------------
template <class T> chl_kernel_status sum_in(const chl_call *call) {
    forward_call<T> f = forward_of<T>(call + 1);
    f.x = chl::in<T>(call, 0);
    f.other = chl::in<T>(call, 1);
    f.total = chl::out<T>(call, 0);
    chl_kernel_status status = CHL_KERNEL_UNSUPPORTED;
    run_short_rows<true>(call, f, &status);
    return status;
}
chl_kernel_status run_sum(const chl_call *call) {
    return chl::by_type(call->in_desc[0].dtype,
                        [&](auto zero) { return sum_in<decltype(zero)>(call); });
}
} // namespace

const chl_body chl_cuda_layer_norm = {forward, nullptr, nullptr};
const chl_body chl_cuda_layer_norm_backward = {backward, backward_workspace, nullptr};
const chl_fused_body chl_cuda_sum_layer_norm = {run_sum, nullptr, chl_sum_layer_norm_fits};
