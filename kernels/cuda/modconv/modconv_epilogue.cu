// modconv_epilogue_backward: dy y d? noise? strength? b? -> g dd dstrength db.
//
// With y = clamp(gain * lrelu(z)), z = r * d + strength * noise + b, r the convolution's result:
//     dz = dy * gain * (z > 0 ? 1 : slope), 0 where |y| reached the clamp
//     g = dz * d      db[o] = sum dz      dstrength = sum dz * noise
//     dd[n,o] = sum dz * r = sum dz * (z - strength * noise - b) / d
// and z = y / gain, divided by the slope where negative. Bound by memory: dy, y and g once (6 bytes
// an element in bf16), some 12 FLOP an element.
#include "cuda/lib/vendor.h"
#include "cuda/modconv/layer.cuh"

namespace {
constexpr int THREADS = 256;

template <class T> struct epilogue {
    static constexpr int KEEP = 2, SUMS = 3; // sums of dz, dz * (z - noise - b), dz * noise
    modconv::layer of;
    const T *dy, *y;
    T *g;
    bool add;
    float *totals; // [n, 3, channels]

    template <int N> __device__ void start(int64_t n, int64_t column, float (&keep)[2][N]) const {
        of.start<N>(n, column, keep);
    }
    template <int N>
    __device__ void at(const chl::place &p, const float (&keep)[2][N], float (&sum)[3][N]) const {
        float product[N], dz[N];
        chl::load(y + p.at, product);
        chl::load(dy + p.at, dz);
        const float picture = of.picture(p);
        of.backward<N>(picture, keep, dz, product);
        for (int e = 0; e < N; e++) {
            sum[0][e] += dz[e];
            sum[1][e] += dz[e] * product[e];
            sum[2][e] += dz[e] * picture;
            dz[e] *= keep[0][e];
        }
        if (g) chl::store(g + p.at, dz, add);
    }
    __device__ void finish(int64_t n, int64_t column, const float (&total)[3]) const {
        for (int k = 0; k < 3; k++) totals[(n * 3 + k) * of.channels + column] = total[k];
    }
};

struct results {
    const float *totals, *d;
    int64_t n, channels;
    float *dd, *dstrength, *db;
    bool add_dd, add_dstrength, add_db;
};
// Adds the samples' totals: a thread for each channel, the last block for the strength.
SIMT_KERNEL((THREADS), collect, results r) {
    const int64_t c = int64_t(blockIdx.x) * THREADS + threadIdx.x;
    if (blockIdx.x + 1 == gridDim.x) {
        float sum = 0;
        for (int64_t i = threadIdx.x; i < r.n * r.channels; i += THREADS)
            sum += r.totals[(i / r.channels * 3 + 2) * r.channels + i % r.channels];
        sum = chl::block_sum<THREADS>(sum);
        if (threadIdx.x == 0 && r.dstrength) chl::put(r.dstrength, sum, r.add_dstrength);
    } else if (c < r.channels) {
        float sum = 0;
        for (int64_t n = 0; n < r.n; n++) {
            const float *total = r.totals + n * 3 * r.channels + c;
            const int64_t at = n * r.channels + c;
            sum += total[0];
            if (r.dd && r.d) chl::put(r.dd + at, total[r.channels] / r.d[at], r.add_dd);
        }
        if (r.db) chl::put(r.db + c, sum, r.add_db);
    }
}

struct space {
    float *totals, *parts;
    space(const chl_call *call, chl::workspace_cursor &cursor) {
        const chl::view v = chl::groups_of(call->in_desc[0]);
        totals = cursor.take<float>(v.groups * 3 * v.width);
        parts = cursor.take<float>(
            int64_t(chl::columns_workspace(v, call->in_desc[0].dtype, 3) / sizeof(float)));
    }
};
size_t workspace(const chl_call *call) {
    chl::workspace_cursor cursor = {nullptr};
    space(call, cursor);
    return cursor.used;
}

template <class T> chl_kernel_status elements(const chl_call *call, const space &s) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    const epilogue<T> f = {modconv::layer_behind(call, 2, call->in_desc[1]),
                           chl::in<T>(call, 0),
                           chl::in<T>(call, 1),
                           chl::out<T>(call, 0),
                           chl::adds(call, 0),
                           s.totals};
    return chl::columns<T>(call, v, f, s.parts);
}

chl_kernel_status run(const chl_call *call) {
    chl::workspace_cursor cursor = {call->workspace};
    const space s(call, cursor);
    const chl_kernel_status status = chl::by_type(
        call->in_desc[0].dtype, [&](auto zero) { return elements<decltype(zero)>(call, s); });
    if (status != CHL_KERNEL_OK) return status;
    const chl::view v = chl::groups_of(call->in_desc[0]);
    const results r = {s.totals,
                       chl::in<float>(call, 2),
                       v.groups,
                       v.width,
                       chl::out<float>(call, 1),
                       chl::out<float>(call, 2),
                       chl::out<float>(call, 3),
                       chl::adds(call, 1),
                       chl::adds(call, 2),
                       chl::adds(call, 3)};
    if (!r.dd && !r.dstrength && !r.db) return CHL_KERNEL_OK;
    const unsigned blocks = unsigned((v.width + THREADS - 1) / THREADS) + 1;
    return chl::status(simt::launch(collect, {dim3(blocks), dim3(THREADS)}, call->stream, r));
}
} // namespace

const chl_body chl_cuda_modconv_epilogue_backward = {run, workspace, nullptr};
