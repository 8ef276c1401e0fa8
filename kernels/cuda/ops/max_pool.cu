// The largest value of each window, padding -inf; kernel 1 is sub-sampling. The backward gathers: a
// pixel looks in each window that contains it for the maximum, and the first of equal ones receives
// the gradient, as in torch. A thread computes 16 bytes of a pixel's channels. Memory is read once,
// overlaps of windows come from the cache; the backward compares kernel^4 / stride^2 times an
// element, which is the bound at 3 x 3.
#include "cuda/lib/reduce.cuh"
#include <cmath>

namespace {
struct map {
    int64_t channels;
    int height, width, out_height, out_width; // sizes of x and of y
    int kernel, stride, pad;
};
map map_of(const chl_call *call, const chl_desc &x) {
    map m = {x.dim[3], int(x.dim[1]), int(x.dim[2]), 0, 0, 0, 0, 0};
    m.kernel = call->attr.pool.kernel;
    m.stride = call->attr.pool.stride;
    m.pad = call->attr.pool.pad;
    m.out_height = (m.height + 2 * m.pad - m.kernel) / m.stride + 1;
    m.out_width = (m.width + 2 * m.pad - m.kernel) / m.stride + 1;
    return m;
}

// The rows (or columns) of window `at` inside an axis of `size`; the windows, of `count`, that
// contain pixel `at`.
struct span {
    int begin, end;
};
__device__ span inside(const map &m, int at, int size) {
    const int begin = at * m.stride - m.pad, end = begin + m.kernel;
    return {begin < 0 ? 0 : begin, end > size ? size : end};
}
__device__ span reaching(const map &m, int at, int count) {
    const int first = at + m.pad - m.kernel + 1, end = (at + m.pad) / m.stride + 1;
    return {first <= 0 ? 0 : (first + m.stride - 1) / m.stride, end > count ? count : end};
}

template <class T> struct largest {
    static constexpr int KEEP = 0, SUMS = 0;
    map m;
    const T *x;
    T *y;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    // group: one row of y of a sample; row: a pixel of it
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&)[1][N]) const {
        const T *sample = x + p.group / m.out_height * m.height * m.width * m.channels + p.column;
        const span rows = inside(m, int(p.group % m.out_height), m.height);
        const span columns = inside(m, int(p.row), m.width);
        float largest[N], v[N];
        for (int e = 0; e < N; e++) largest[e] = -INFINITY;
        for (int i = rows.begin; i < rows.end; i++)
            for (int j = columns.begin; j < columns.end; j++) {
                chl::load(sample + (i * m.width + j) * m.channels, v);
                for (int e = 0; e < N; e++) largest[e] = v[e] > largest[e] ? v[e] : largest[e];
            }
        chl::store(y + p.at, largest, add);
    }
};

template <class T> struct chosen {
    static constexpr int KEEP = 0, SUMS = 0;
    map m;
    const T *dy, *x;
    T *dx;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}

    // Adds dy of the windows whose first maximum is pixel `own`.
    template <int N>
    __device__ void ask(const T *sample, const T *d, int own, span rows, span columns,
                        float (&sum)[N]) const {
        float largest[N], v[N];
        int first[N];
        for (int e = 0; e < N; e++) largest[e] = -INFINITY;
        for (int e = 0; e < N; e++) first[e] = -1;
        for (int i = rows.begin; i < rows.end; i++)
            for (int j = columns.begin; j < columns.end; j++) {
                const int pixel = i * m.width + j;
                chl::load(sample + pixel * m.channels, v);
                for (int e = 0; e < N; e++) {
                    if (!(v[e] > largest[e] || (first[e] < 0 && v[e] == largest[e]))) continue;
                    largest[e] = v[e];
                    first[e] = pixel;
                }
            }
        chl::load(d, v);
        for (int e = 0; e < N; e++) sum[e] += first[e] == own ? v[e] : 0.0f;
    }

    // group: one row of x of a sample; row: a pixel of it
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&)[1][N]) const {
        const int64_t n = p.group / m.height;
        const int line = int(p.group % m.height), column = int(p.row);
        const T *sample = x + n * m.height * m.width * m.channels + p.column;
        const T *from = dy + n * m.out_height * m.out_width * m.channels + p.column;
        const span down = reaching(m, line, m.out_height), along = reaching(m, column, m.out_width);
        float sum[N] = {};
        for (int i = down.begin; i < down.end; i++)
            for (int j = along.begin; j < along.end; j++)
                ask<N>(sample, from + (i * m.out_width + j) * m.channels, line * m.width + column,
                       inside(m, i, m.height), inside(m, j, m.width), sum);
        chl::store(dx + p.at, sum, add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    const chl_desc &x = call->in_desc[0];
    const map m = map_of(call, x);
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(
            call, {x.dim[0] * m.out_height, m.out_width, m.channels},
            largest<T>{m, chl::in<T>(call, 0), chl::out<T>(call, 0), chl::adds(call, 0)});
    });
}

chl_kernel_status backward(const chl_call *call) {
    const chl_desc &x = call->in_desc[1];
    const map m = map_of(call, x);
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, {x.dim[0] * m.height, m.width, m.channels},
                               chosen<T>{m, chl::in<T>(call, 0), chl::in<T>(call, 1),
                                         chl::out<T>(call, 0), chl::adds(call, 0)});
    });
}
} // namespace

const chl_body chl_cuda_max_pool = {forward, nullptr, nullptr};
const chl_body chl_cuda_max_pool_dx = {backward, nullptr, nullptr};
