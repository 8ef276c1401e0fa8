// [N,T,C] -> [N,T+1,C] with one learned token [C] before every sequence; dx omits it, dtoken sums
// its gradients. 4 bytes (bf16) an element either way, bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
template <class T> struct prepended {
    const T *x;
    const float *token;
    int64_t width;
    template <int N> __device__ void load(const chl::place &p, float (&v)[N]) const {
        if (p.row > 0) // each sequence before this one is one token shorter in x
            chl::load(x + p.at - (p.group + 1) * width, v);
        else
            chl::load_floats(token + p.column, v);
    }
};

template <class T> struct cropped {
    const T *dy;
    int64_t width;
    template <int N> __device__ void load(const chl::place &p, float (&v)[N]) const {
        chl::load(dy + p.at + (p.group + 1) * width, v);
    }
};

// the rows are the sequences: row n's token is dy[n,0,:]
template <class T> struct summed {
    static constexpr int KEEP = 0, SUMS = 1;
    const T *dy;
    float *dtoken;
    int64_t sequence;
    bool add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&sum)[1][N]) const {
        float v[N];
        chl::load(dy + p.row * sequence + p.column, v);
        for (int e = 0; e < N; e++) sum[0][e] += v[e];
    }
    __device__ void finish(int64_t, int64_t column, const float (&total)[1]) const {
        chl::put(dtoken + column, total[0], add);
    }
};

chl_kernel_status forward(const chl_call *call) {
    const chl::view v = chl::groups_of(call->out_desc[0]);
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(
            call, v,
            chl::moved<T, prepended<T>>{{chl::in<T>(call, 0), chl::in<float>(call, 1), v.width},
                                        chl::out<T>(call, 0),
                                        chl::adds(call, 0)});
    });
}

chl_kernel_status backward(const chl_call *call) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        const T *dy = chl::in<T>(call, 0);
        if (call->out[0]) {
            const chl_kernel_status status = chl::columns<T>(
                call, {v.groups, v.rows - 1, v.width},
                chl::moved<T, cropped<T>>{{dy, v.width}, chl::out<T>(call, 0), chl::adds(call, 0)});
            if (status != CHL_KERNEL_OK) return status;
        }
        if (!call->out[1]) return CHL_KERNEL_OK;
        return chl::columns<T>(
            call, {1, v.groups, v.width},
            summed<T>{dy, chl::out<float>(call, 1), v.rows * v.width, chl::adds(call, 1)},
            static_cast<float *>(call->workspace));
    });
}
size_t backward_workspace(const chl_call *call) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    return chl::columns_workspace({1, v.groups, v.width}, call->in_desc[0].dtype, 1);
}
} // namespace

const chl_body chl_cuda_prepend_token = {forward, nullptr, nullptr};
const chl_body chl_cuda_prepend_token_backward = {backward, backward_workspace, nullptr};
