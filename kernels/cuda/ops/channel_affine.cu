// y = clamp(x, lowest, highest) mul[c] + add[c]: converts pictures to a network's own range. 8
// bytes (float) an element forward, 12 backward: bound by memory. Pictures have 3 channels: several
// pixels are treated as one row, until rows are whole 16-byte vectors.
#include "cuda/lib/reduce.cuh"

namespace {
template <int N>
__device__ void load_turns(const float *p, int64_t column, int64_t channels, float (&v)[N]) {
    for (int e = 0; e < N; e++) v[e] = p[(column + e) % channels];
}

template <class T> struct mapped {
    static constexpr int KEEP = 2, SUMS = 0;
    const T *x;
    const float *mul, *add;
    int64_t channels;
    float lowest, highest;
    T *y;
    bool adds;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[2][N]) const {
        load_turns(mul, column, channels, keep[0]);
        load_turns(add, column, channels, keep[1]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[2][N], float (&)[1][N]) const {
        float v[N];
        chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) {
            v[e] = v[e] < lowest ? lowest : v[e] > highest ? highest : v[e];
            v[e] = v[e] * keep[0][e] + keep[1][e];
        }
        chl::store(y + p.at, v, adds);
    }
};

template <class T> struct mapped_dx {
    static constexpr int KEEP = 1, SUMS = 0;
    const T *dy, *x;
    const float *mul;
    int64_t channels;
    float lowest, highest;
    T *dx;
    bool adds;
    template <int N> __device__ void start(int64_t, int64_t column, float (&keep)[1][N]) const {
        load_turns(mul, column, channels, keep[0]);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&)[1][N]) const {
        float v[N], d[N];
        chl::load(x + p.at, v);
        chl::load(dy + p.at, d);
        for (int e = 0; e < N; e++)
            d[e] = v[e] >= lowest && v[e] <= highest ? d[e] * keep[0][e] : 0.0f;
        chl::store(dx + p.at, d, adds);
    }
};

template <class T> chl::view widened(const chl_desc &x) {
    chl::view v = chl::rows_of(x);
    while (v.width % chl::PACK<T> && v.rows % 2 == 0) {
        v.width *= 2;
        v.rows /= 2;
    }
    return v;
}

chl_kernel_status forward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const mapped<T> f = {chl::in<T>(call, 0),
                             chl::in<float>(call, 1),
                             chl::in<float>(call, 2),
                             chl_count(&call->in_desc[1]),
                             call->attr.channel_affine.lowest,
                             call->attr.channel_affine.highest,
                             chl::out<T>(call, 0),
                             chl::adds(call, 0)};
        return chl::columns<T>(call, widened<T>(call->in_desc[0]), f);
    });
}

chl_kernel_status backward(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[1].dtype, [&](auto zero) {
        using T = decltype(zero);
        const mapped_dx<T> f = {chl::in<T>(call, 0),
                                chl::in<T>(call, 1),
                                chl::in<float>(call, 2),
                                chl_count(&call->in_desc[2]),
                                call->attr.channel_affine.lowest,
                                call->attr.channel_affine.highest,
                                chl::out<T>(call, 0),
                                chl::adds(call, 0)};
        return chl::columns<T>(call, widened<T>(call->in_desc[1]), f);
    });
}
} // namespace

const chl_body chl_cuda_channel_affine = {forward, nullptr, nullptr};
const chl_body chl_cuda_channel_affine_dx = {backward, nullptr, nullptr};
