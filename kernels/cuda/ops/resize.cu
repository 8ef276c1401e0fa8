// Resizing with the filters of attributes.h, and its adjoint. resize_axes computes the axes' taps, a
// block per axis, once; then a thread per output sums rows by columns of them (backward: a thread
// per input pixel sums over the outputs that used it). Neighbours share their reads through the L1
// cache, so that both pictures are moved once: bound by memory.
#include "cuda/lib/body.h"

namespace {
constexpr int THREADS = 256;

struct span {
    int first, count;
};
struct axis {
    int in, out, max_taps; // max_taps: taps that `weight` has place for per output
    span *taps;            // [out], ranges of inputs
    span *users;           // [in], ranges of outputs
    float *weight;         // [out, max_taps]
};
struct axes {
    axis rows, columns;
};

// --- a filter's taps -----------------------------------------------------------------------------
int max_taps(chl_filter filter, int in, int out) {
    switch (filter) {
    case CHL_FILTER_NEAREST:
        return 1;
    case CHL_FILTER_BILINEAR:
    case CHL_FILTER_BILINEAR_ENDS:
        return 2;
    case CHL_FILTER_BICUBIC:
        return 4;
    case CHL_FILTER_BICUBIC_PIL:
        return in > out ? int(4 * int64_t(in) / out) + 2 : 5;
    default:
        return in / out + 2;
    }
}

__device__ inline int clamped(int i, int size) {
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

__device__ inline span take_linear(float *weight, double at, int in) {
    const int left = clamped(int(floor(at)), in), count = left + 1 < in ? 2 : 1;
    const double share = count == 2 ? at - double(left) : 0;
    weight[0] = float(1 - share);
    if (count == 2) weight[1] = float(share);
    return {left, count};
}

// [Keys 1981]
__device__ inline double cubic(double x, double a) {
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
}

// Four taps; those outside the picture read its edge.
__device__ inline span take_cubic(float *weight, double at, int in) {
    const int left = int(floor(at)), first = clamped(left - 1, in);
    const int count = clamped(left + 2, in) - first + 1;
    for (int t = 0; t < count; t++) {
        double sum = 0;
        for (int k = left - 1; k <= left + 2; k++)
            if (clamped(k, in) == first + t) sum += cubic(at - double(k), -0.75);
        weight[t] = float(sum);
    }
    return {first, count};
}

// The kernel is stretched by the reduction; taps outside are omitted and the others scaled to sum
// 1.
__device__ inline span take_cubic_antialiased(float *weight, int i, int in, int out) {
    const double scale = double(in) / double(out), stretch = scale > 1 ? scale : 1;
    const double centre = scale * (double(i) + 0.5), support = 2 * stretch;
    const double begin = centre - support + 0.5, end = centre + support + 0.5;
    const int first = begin > 0 ? int(begin) : 0,
              count = (end < double(in) ? int(end) : in) - first;
    double total = 0;
    for (int k = 0; k < count; k++)
        total += cubic((double(first + k) - centre + 0.5) / stretch, -0.5);
    for (int k = 0; k < count; k++)
        weight[k] = float(cubic((double(first + k) - centre + 0.5) / stretch, -0.5) / total);
    return {first, count};
}

__device__ inline span take_area(float *weight, int64_t i, int64_t in, int64_t out) {
    const int first = int(i * in / out), count = int(((i + 1) * in + out - 1) / out) - first;
    for (int k = 0; k < count; k++) weight[k] = 1 / float(count);
    return {first, count};
}

// In units of 1/out of an input pixel: pixel j covers [j out, (j+1) out), output i [i in, (i+1)
// in).
__device__ inline span take_box(float *weight, int64_t i, int64_t in, int64_t out) {
    const int64_t begin = i * in, end = begin + in;
    const int first = int(begin / out), count = int((end + out - 1) / out) - first;
    for (int k = 0; k < count; k++) {
        const int64_t left = (first + k) * out, right = left + out;
        const int64_t shared = (right < end ? right : end) - (left > begin ? left : begin);
        weight[k] = float(double(shared) / double(in));
    }
    return {first, count};
}

__device__ inline span take(chl_filter filter, float *weight, int i, int in, int out) {
    const double half_pixel = (double(i) + 0.5) * double(in) / double(out) - 0.5;
    switch (filter) {
    case CHL_FILTER_NEAREST:
        weight[0] = 1;
        return {int((2 * int64_t(i) + 1) * in / (2 * int64_t(out))), 1};
    case CHL_FILTER_BILINEAR:
        return take_linear(weight, half_pixel > 0 ? half_pixel : 0, in);
    case CHL_FILTER_BILINEAR_ENDS:
        return take_linear(weight, out > 1 ? double(int64_t(i) * (in - 1)) / double(out - 1) : 0,
                           in);
    case CHL_FILTER_BICUBIC:
        return take_cubic(weight, half_pixel, in);
    case CHL_FILTER_BICUBIC_PIL:
        return take_cubic_antialiased(weight, i, in, out);
    case CHL_FILTER_AREA:
        return take_area(weight, i, in, out);
    default:
        return take_box(weight, i, in, out);
    }
}

// How many outputs begin (end) their taps at or before input i; taps never move back from one
// output to the next.
template <bool END> __device__ inline int outputs_until(const axis &a, int i) {
    int low = 0, high = a.out;
    while (low < high) {
        const int middle = (low + high) / 2;
        const span &t = a.taps[middle];
        if (t.first + (END ? t.count - 1 : 0) <= i)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

SIMT_KERNEL((THREADS), lay_out_axes, axes both, chl_filter filter) {
    const axis a = blockIdx.x ? both.columns : both.rows;
    for (int i = int(threadIdx.x); i < a.out; i += THREADS)
        a.taps[i] = take(filter, a.weight + int64_t(i) * a.max_taps, i, a.in, a.out);
    __syncthreads();
    for (int i = int(threadIdx.x); i < a.in; i += THREADS) {
        const int first = outputs_until<true>(a, i - 1), end = outputs_until<false>(a, i);
        a.users[i] = {first, end > first ? end - first : 0};
    }
}

// --- pictures ------------------------------------------------------------------------------------
template <class T> struct pictures {
    const T *from;
    T *to;
    int channels, in_h, in_w, y, x; // the whole input, the window's corner
    bool add;
    axes along;
    int64_t chunks; // blocks per row of `to`
};

template <int N, class T> SIMT_KERNEL((THREADS), gather, pictures<T> p) {
    const axis &rows = p.along.rows, &columns = p.along.columns;
    const int64_t row = blockIdx.x / p.chunks, n = row / rows.out, i = row - n * rows.out;
    const int at = (int(blockIdx.x % p.chunks) * THREADS + int(threadIdx.x)) * N;
    if (at >= columns.out * p.channels) return;
    const int j = at / p.channels, c = at - j * p.channels;
    const span down = rows.taps[i], across = columns.taps[j];
    const float *weight = columns.weight + int64_t(j) * columns.max_taps;
    float total[N] = {}, v[N];
    for (int r = 0; r < down.count; r++) {
        const int64_t line = (n * p.in_h + p.y + down.first + r) * p.in_w + p.x + across.first;
        float sum[N] = {};
        for (int k = 0; k < across.count; k++) {
            chl::load(p.from + (line + k) * p.channels + c, v);
            for (int e = 0; e < N; e++) sum[e] += weight[k] * v[e];
        }
        const float share = rows.weight[i * rows.max_taps + r];
        for (int e = 0; e < N; e++) total[e] += share * sum[e];
    }
    chl::store(p.to + row * columns.out * p.channels + at, total, p.add);
}

// `to` is the whole input; pixels outside the window get no gradient.
template <int N, class T> SIMT_KERNEL((THREADS), gather_back, pictures<T> p) {
    const axis &rows = p.along.rows, &columns = p.along.columns;
    const int64_t row = blockIdx.x / p.chunks, n = row / p.in_h;
    const int i = int(row - n * p.in_h) - p.y;
    const int at = (int(blockIdx.x % p.chunks) * THREADS + int(threadIdx.x)) * N;
    if (at >= p.in_w * p.channels) return;
    const int j = at / p.channels - p.x, c = at % p.channels;
    const bool inside = i >= 0 && i < rows.in && j >= 0 && j < columns.in;
    const span down = inside ? rows.users[i] : span{0, 0};
    const span across = inside ? columns.users[j] : span{0, 0};
    float total[N] = {}, v[N];
    for (int r = down.first; r < down.first + down.count; r++) {
        const int64_t line = (n * rows.out + r) * columns.out;
        float sum[N] = {};
        for (int k = across.first; k < across.first + across.count; k++) {
            const float weight =
                columns.weight[int64_t(k) * columns.max_taps + j - columns.taps[k].first];
            chl::load(p.from + (line + k) * p.channels + c, v);
            for (int e = 0; e < N; e++) sum[e] += weight * v[e];
        }
        const float share = rows.weight[int64_t(r) * rows.max_taps + i - rows.taps[r].first];
        for (int e = 0; e < N; e++) total[e] += share * sum[e];
    }
    chl::store(p.to + row * p.in_w * p.channels + at, total, p.add);
}

// --- bodies --------------------------------------------------------------------------------------
// Places an axis at `base` + used; without a base it only counts bytes.
axis axis_at(char *base, size_t &used, chl_filter filter, int in, int out) {
    axis a = {in, out, max_taps(filter, in, out), nullptr, nullptr, nullptr};
    if (base) {
        a.taps = reinterpret_cast<span *>(base + used);
        a.users = a.taps + out;
        a.weight = reinterpret_cast<float *>(a.users + in);
    }
    used += sizeof(span) * size_t(in + out) + sizeof(float) * size_t(out) * size_t(a.max_taps);
    used = (used + 63) / 64 * 64;
    return a;
}
// The two axes behind one another, as resize_axes left them at `base`; nothing is written here.
axes axes_at(const chl_call *call, const void *base, size_t &used) {
    const auto &a = call->attr.resize;
    char *memory = static_cast<char *>(const_cast<void *>(base));
    used = 0;
    const axis rows = axis_at(memory, used, a.filter, a.h, a.out_h);
    return {rows, axis_at(memory, used, a.filter, a.w, a.out_w)};
}
size_t axes_bytes(const chl_call *call) {
    size_t used;
    (void)axes_at(call, nullptr, used);
    return used;
}
chl_kernel_status lay_out(const chl_call *call) {
    size_t used;
    return chl::status(simt::launch(lay_out_axes, {dim3(2), dim3(THREADS)}, call->stream,
                                    axes_at(call, call->out[0], used), call->attr.resize.filter));
}

template <class T> chl_kernel_status run_in(const chl_call *call, bool back) {
    const auto &a = call->attr.resize;
    const int64_t *dim = call->out_desc[0].dim;
    size_t used;
    const axes along = axes_at(call, call->in[1], used);
    constexpr int PACK = chl::PACK<T>;
    const int n = dim[3] % PACK ? 1 : PACK;
    pictures<T> p = {chl::in<T>(call, 0),
                     chl::out<T>(call, 0),
                     int(dim[3]),
                     a.in_h,
                     a.in_w,
                     a.y,
                     a.x,
                     chl::adds(call, 0),
                     along,
                     (dim[2] * dim[3] / n + THREADS - 1) / THREADS};
    const auto forward = n == 1 ? gather<1, T> : gather<PACK, T>;
    const auto backward = n == 1 ? gather_back<1, T> : gather_back<PACK, T>;
    const unsigned grid = unsigned(dim[0] * dim[1] * p.chunks);
    return chl::status(
        simt::launch(back ? backward : forward, {dim3(grid), dim3(THREADS)}, call->stream, p));
}
chl_kernel_status run(const chl_call *call, bool back) {
    if (!call->out[0] || chl_count(&call->out_desc[0]) == 0) return CHL_KERNEL_OK;
    return chl::by_type(call->out_desc[0].dtype,
                        [&](auto zero) { return run_in<decltype(zero)>(call, back); });
}
chl_kernel_status forward(const chl_call *call) {
    return run(call, false);
}
chl_kernel_status backward(const chl_call *call) {
    return run(call, true);
}
} // namespace

const chl_body chl_cuda_resize_axes = {lay_out, nullptr, axes_bytes};
const chl_body chl_cuda_resize = {forward, nullptr, nullptr};
const chl_body chl_cuda_resize_dx = {backward, nullptr, nullptr};
