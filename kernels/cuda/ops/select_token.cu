// One token of every sequence, [N,T,C] -> [N,C]: the same for all, or index[n] of each; dx is dy
// there and 0 elsewhere. 2 bytes (bf16) an element of dx, bound by memory. Where index[n] names no
// token the result is NaN: the CPU refuses the call, a kernel cannot.
#include "cuda/lib/reduce.cuh"
#include <cmath>

namespace {
struct choice {
    const int32_t *index;
    int64_t same, tokens;
    __device__ int64_t of(int64_t n) const {
        const int64_t t = index ? index[n] : same;
        return t >= 0 && t < tokens ? t : -1;
    }
};

// row: the sequence
template <class T> struct selected {
    choice which;
    const T *x;
    int64_t width;
    template <int N> __device__ void load(const chl::place &p, float (&v)[N]) const {
        const int64_t t = which.of(p.row);
        for (int e = 0; e < N; e++) v[e] = NAN;
        if (t >= 0) chl::load(x + (p.row * which.tokens + t) * width + p.column, v);
    }
};

// group: the sequence, row: the token
template <class T> struct selected_dx {
    static constexpr int KEEP = 0, SUMS = 0;
    choice which;
    const T *dy;
    T *dx;
    int64_t width;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&)[1][N]) const {
        const bool here = which.of(p.group) == p.row;
        float v[N] = {};
        if (!here && add) return;
        if (here) chl::load(dy + p.group * width + p.column, v);
        chl::store(dx + p.at, v, add);
    }
};

choice choice_of(const chl_call *call, const chl_desc &x) {
    return {chl::in<int32_t>(call, 1), call->attr.token.index, x.dim[1]};
}

chl_kernel_status forward(const chl_call *call) {
    const chl_desc &x = call->in_desc[0];
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(
            call, {1, x.dim[0], x.dim[2]},
            chl::moved<T, selected<T>>{{choice_of(call, x), chl::in<T>(call, 0), x.dim[2]},
                                       chl::out<T>(call, 0),
                                       chl::adds(call, 0)});
    });
}

chl_kernel_status backward(const chl_call *call) {
    const chl_desc &x = call->out_desc[0];
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(x.dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, {x.dim[0], x.dim[1], x.dim[2]},
                               selected_dx<T>{choice_of(call, x), chl::in<T>(call, 0),
                                              chl::out<T>(call, 0), x.dim[2], chl::adds(call, 0)});
    });
}
} // namespace

const chl_body chl_cuda_select_token = {forward, nullptr, nullptr};
const chl_body chl_cuda_select_token_dx = {backward, nullptr, nullptr};
