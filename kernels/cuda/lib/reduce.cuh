// Maps and sums over tensors seen as [groups, rows, width]. A thread stays on its columns, so that
// a column's parameters are loaded once; sums over the rows, or over everything, are made in a
// fixed order.
//
//     template <class T> struct biased {           // y = x + b[column]
//         static constexpr int KEEP = 1, SUMS = 0; // numbers kept, sums made, per column
//         const T *x;
//         const float *b;
//         T *y;
//         bool add;
//         template <int N> __device__ void start(int64_t group, int64_t column,
//                                                float (&keep)[1][N]) const {
//             chl::load_floats(b + column, keep[0]);
//         }
//         template <int N> __device__ void at(const chl::place &p, const float (&keep)[1][N],
//                                             float (&)[1][N]) const {
//             float v[N];
//             chl::load(x + p.at, v);
//             for (int e = 0; e < N; e++) v[e] += keep[0][e];
//             chl::store(y + p.at, v, add);
//         }
//     };
//     return chl::columns<T>(call, {1, rows, width}, biased<T>{x, b, y, add});
//
// With SUMS > 0, `at` adds to sum[s][0 ... N-1]. The rows are cut into parts by the shape alone,
// each part writes its sums to the workspace, and finish(group, column, total) receives the sum of
// the parts.
#pragma once
#include "cuda/lib/body.h"

namespace chl {
// N adjacent floats, 16 bytes at a time where N fills them.
template <int N> __device__ inline void load_floats(const float *p, float (&v)[N]) {
    if constexpr (N % 4 == 0) {
        for (int k = 0; k < N; k += 4) {
            const float4 four = *reinterpret_cast<const float4 *>(p + k);
            v[k] = four.x;
            v[k + 1] = four.y;
            v[k + 2] = four.z;
            v[k + 3] = four.w;
        }
    } else {
        for (int k = 0; k < N; k++) v[k] = p[k];
    }
}

struct view {
    int64_t groups, rows, width;
};
struct place {
    int64_t group, row, column, at; // at: the element's offset in the whole tensor
};
// [N,...,C] as one group, or as N groups
inline view rows_of(const chl_desc &d) {
    const int64_t width = d.dim[d.rank - 1];
    return {1, width ? chl_count(&d) / width : 0, width};
}
inline view groups_of(const chl_desc &d) {
    const view all = rows_of(d);
    if (d.rank < 2) return {d.dim[0], 1, 1};
    return {d.dim[0], d.dim[0] ? all.rows / d.dim[0] : 0, all.width};
}

// --- how a view is divided among blocks ----------------------------------------------------------
constexpr int COLUMN_THREADS = 256;
constexpr int MIN_ROWS = 4; // per thread and part
// Blocks that a multiprocessor runs at once; limits the registers.
constexpr int resident(int sums, int keep = 0) {
    return sums > 2 || (sums > 0 && sums + keep > 4) ? 2 : sums == 1 && keep < 3 ? 4 : 3;
}
// Sums: as many blocks as the largest chip runs at once, for few parts and a single wave. Maps:
// several waves, so that a partly filled last one costs little.
constexpr int64_t column_blocks(int sums) {
    return 132 * (sums > 0 ? resident(sums) : 32);
}

struct cut {
    int pack, across; // pack: elements per thread; across: adjacent threads in a row
    int64_t strips, parts;
};
inline cut cut_of(const view &v, chl_dtype dtype, int sums) {
    const int max_pack = 16 / int(chl_item_bytes(dtype));
    cut c = {v.width % max_pack ? 1 : max_pack, 1, 1, 1};
    const int64_t packs = v.width / c.pack;
    while (c.across < 32 && c.across < packs) c.across *= 2;
    // with few rows, threads without a row would be idle
    while (c.across < COLUMN_THREADS && c.across < packs && COLUMN_THREADS / c.across > v.rows)
        c.across *= 2;
    c.strips = (packs + c.across - 1) / c.across;
    const int64_t max_parts = v.rows / (COLUMN_THREADS / c.across * MIN_ROWS);
    c.parts = column_blocks(sums) / (c.strips * v.groups);
    if (c.parts > max_parts) c.parts = max_parts;
    if (c.parts < 1) c.parts = 1;
    return c;
}
inline size_t columns_workspace(const view &v, chl_dtype dtype, int sums) {
    return size_t(v.groups * cut_of(v, dtype, sums).parts * sums * v.width) * sizeof(float);
}

// --- from rows to the sums of a part -------------------------------------------------------------
// Adds the sums of the threads that share a column, in order of the threads.
template <int N, int SUMS>
__device__ inline void fold_threads(const float (&sum)[SUMS][N], const cut &c, int64_t width,
                                    int64_t first, float *partial) {
    // + 1: with a power of two all threads would share one bank
    constexpr int STEP = COLUMN_THREADS + 1;
    SIMT_SHARED(share, float[SUMS * N * STEP]);
    for (int s = 0; s < SUMS; s++)
        for (int e = 0; e < N; e++) share[(s * N + e) * STEP + int(threadIdx.x)] = sum[s][e];
    __syncthreads();
    const int columns = c.across * N;
    for (int i = int(threadIdx.x); i < SUMS * columns; i += COLUMN_THREADS) {
        const int s = i / columns, column = i % columns;
        if (first + column >= width) continue;
        const float *from = share + (s * N + column % N) * STEP + column / N;
        float total = 0;
        for (int t = 0; t < COLUMN_THREADS; t += c.across) total += from[t];
        partial[s * width + first + column] = total;
    }
}

template <int N, class F>
SIMT_KERNEL((COLUMN_THREADS, resident(F::SUMS, F::KEEP)), columns_kernel, F f, view v, cut c,
            float *partial) {
    constexpr int KEEP = F::KEEP > 0 ? F::KEEP : 1, SUMS = F::SUMS > 0 ? F::SUMS : 1;
    const int64_t block = blockIdx.x / c.strips, group = block / c.parts, part = block % c.parts;
    const int64_t first = int64_t(blockIdx.x) % c.strips * c.across * N;
    const int64_t column = first + int(threadIdx.x) % c.across * N;
    const int64_t end = v.rows * (part + 1) / c.parts;
    float keep[KEEP][N], sum[SUMS][N] = {};
    if (column < v.width) {
        f.template start<N>(group, column, keep);
        int64_t row = v.rows * part / c.parts + int(threadIdx.x) / c.across;
        for (; row < end; row += COLUMN_THREADS / c.across)
            f.template at<N>({group, row, column, (group * v.rows + row) * v.width + column}, keep,
                             sum);
    }
    if constexpr (F::SUMS > 0)
        fold_threads<N, SUMS>(sum, c, v.width, first, partial + block * SUMS * v.width);
}

// --- from the sums of the parts to totals --------------------------------------------------------
constexpr int FINISH_ROWS = 16;

template <class F>
SIMT_KERNEL((32 * FINISH_ROWS), finish_kernel, F f, int64_t parts, int64_t width,
            const float *partial) {
    SIMT_SHARED(share, float[F::SUMS][FINISH_ROWS][32]);
    const int lane = int(threadIdx.x) % 32, row = int(threadIdx.x) / 32;
    const int64_t strips = (width + 31) / 32, group = blockIdx.x / strips;
    const int64_t column = int64_t(blockIdx.x) % strips * 32 + lane;
    float total[F::SUMS] = {};
    if (column < width)
        for (int64_t part = row; part < parts; part += FINISH_ROWS)
            for (int s = 0; s < F::SUMS; s++)
                total[s] += partial[((group * parts + part) * F::SUMS + s) * width + column];
    for (int s = 0; s < F::SUMS; s++) share[s][row][lane] = total[s];
    __syncthreads();
    if (row > 0 || column >= width) return;
    for (int s = 0; s < F::SUMS; s++)
        for (int r = 1; r < FINISH_ROWS; r++) total[s] += share[s][r][lane];
    f.finish(group, column, total);
}
template <class F>
chl_kernel_status finish_columns(const chl_call *call, int64_t groups, int64_t width, int64_t parts,
                                 const float *partial, const F &f) {
    const unsigned grid = unsigned((width + 31) / 32 * groups);
    return status(simt::launch(finish_kernel<F>, {dim3(grid), dim3(32 * FINISH_ROWS)}, call->stream,
                               f, parts, width, partial));
}

// The rows alone: sums stay in `partial` as [groups, *parts, SUMS, width], for a kernel of the
// caller's that adds them.
template <class T, class F>
chl_kernel_status columns_parts(const chl_call *call, const view &v, const F &f, float *partial,
                                int64_t *parts) {
    const cut c = cut_of(v, sizeof(T) == 2 ? CHL_BF16 : CHL_F32, F::SUMS);
    const auto kernel = c.pack == 1 ? columns_kernel<1, F> : columns_kernel<PACK<T>, F>;
    const unsigned grid = unsigned(c.strips * c.parts * v.groups);
    *parts = c.parts;
    return status(
        simt::launch(kernel, {dim3(grid), dim3(COLUMN_THREADS)}, call->stream, f, v, c, partial));
}

// T is the type of the tensors that `at` reads and writes. SUMS > 0 needs columns_workspace(v, T,
// SUMS) bytes.
template <class T, class F>
chl_kernel_status columns(const chl_call *call, const view &v, const F &f,
                          float *partial = nullptr) {
    if (v.groups <= 0 || v.rows <= 0 || v.width <= 0) return CHL_KERNEL_OK;
    int64_t parts;
    const chl_kernel_status rows = columns_parts<T>(call, v, f, partial, &parts);
    if constexpr (F::SUMS > 0) {
        if (rows != CHL_KERNEL_OK) return rows;
        return finish_columns(call, v.groups, v.width, parts, partial, f);
    } else {
        return rows;
    }
}

// y at every place is what from.load(place, v) says
template <class T, class From> struct moved {
    static constexpr int KEEP = 0, SUMS = 0;
    From from;
    T *y;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const place &p, const float (&)[1][N], float (&)[1][N]) const {
        float v[N];
        from.load(p, v);
        store(y + p.at, v, add);
    }
};
// y[column] = factor * the sum of x over the rows, of one group
template <class T, class Y = float> struct column_sums {
    static constexpr int KEEP = 0, SUMS = 1;
    const T *x;
    Y *y;
    float factor;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const place &p, const float (&)[1][N], float (&sum)[1][N]) const {
        float v[N];
        load(x + p.at, v);
        for (int e = 0; e < N; e++) sum[0][e] += v[e];
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[1]) const {
        put(y + column, factor * total[0], add);
    }
};

// --- the sum over everything: f.at(i) of all i < count, then f.finish(total) ---------------------
constexpr int TOTAL_THREADS = 256;
constexpr int64_t TOTAL_BLOCKS = 132 * 2;
constexpr size_t TOTAL_WORKSPACE = TOTAL_BLOCKS * sizeof(float);

template <int N, class F>
SIMT_KERNEL((TOTAL_THREADS), total_kernel, F f, int64_t count, float *partial) {
    const int64_t stride = int64_t(gridDim.x) * TOTAL_THREADS, packs = count / N;
    const int64_t first = int64_t(blockIdx.x) * TOTAL_THREADS + threadIdx.x;
    float sum = 0;
    for (int64_t i = first; i < packs; i += stride) sum += f.template at<N>(i * N);
    if (packs * N + first < count) sum += f.template at<1>(packs * N + first);
    sum = block_sum<TOTAL_THREADS>(sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
template <class F>
SIMT_KERNEL((TOTAL_THREADS), finish_total_kernel, F f, int parts, const float *partial) {
    float sum = 0;
    for (int i = int(threadIdx.x); i < parts; i += TOTAL_THREADS) sum += partial[i];
    sum = block_sum<TOTAL_THREADS>(sum);
    if (threadIdx.x == 0) f.finish(sum);
}
template <class T, class F>
chl_kernel_status total(const chl_call *call, int64_t count, const F &f, float *partial) {
    constexpr int N = PACK<T>;
    const int64_t blocks = (count / N + TOTAL_THREADS - 1) / TOTAL_THREADS;
    const int parts = int(blocks < 1 ? 1 : blocks < TOTAL_BLOCKS ? blocks : TOTAL_BLOCKS);
    const chl_kernel_status rows =
        status(simt::launch(total_kernel<N, F>, {dim3(unsigned(parts)), dim3(TOTAL_THREADS)},
                            call->stream, f, count, partial));
    if (rows != CHL_KERNEL_OK) return rows;
    return status(simt::launch(finish_total_kernel<F>, {dim3(1), dim3(TOTAL_THREADS)}, call->stream,
                               f, parts, partial));
}
} // namespace chl
