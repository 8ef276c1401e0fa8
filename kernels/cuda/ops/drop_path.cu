// Stochastic depth [Huang et al. 2016]: whole samples n of x [N,...] are dropped with probability
// `rate`, the others scaled by 1/(1-rate). The op is its own gradient. Each thread draws its
// sample's number once. 4 bytes (bf16) an element, bound by memory; dropped samples are not read.
#include "cuda/lib/reduce.cuh"
#include "philox.h"

namespace {
template <class T> struct dropped {
    static constexpr int KEEP = 1, SUMS = 0;
    const T *x;
    T *y;
    const chl_step *step;
    float rate;
    uint32_t purpose;
    int64_t first;
    bool add;
    template <int N> __device__ void start(int64_t group, int64_t, float (&keep)[1][N]) const {
        const chl_philox random =
            chl_random(step->seed, purpose, uint64_t(step->index), uint64_t(first + group));
        keep[0][0] = chl_uniform(random.word[0]) >= rate ? 1.0f / (1.0f - rate) : 0.0f;
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[1][N], float (&)[1][N]) const {
        float v[N] = {};
        if (keep[0][0] == 0 && add) return;
        if (keep[0][0] > 0) chl::load(x + p.at, v);
        for (int e = 0; e < N; e++) v[e] *= keep[0][0];
        chl::store(y + p.at, v, add);
    }
};

chl_kernel_status run(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, chl::groups_of(call->in_desc[0]),
                               dropped<T>{chl::in<T>(call, 0), chl::out<T>(call, 0), call->step,
                                          call->attr.drop.rate, call->attr.drop.purpose,
                                          call->attr.drop.first, chl::adds(call, 0)});
    });
}
} // namespace

const chl_body chl_cuda_drop_path = {run, nullptr, nullptr};
