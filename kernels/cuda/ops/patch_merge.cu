// Swin's patch merging: [N,H,W,C] -> [N,H/2,W/2,4C], the pixels of each 2x2 block concatenated in
// the order (0,0),(1,0),(0,1),(1,1) as (row, column), and its inverse. 4 bytes (bf16) an element,
// bound by memory.
#include "cuda/lib/reduce.cuh"

namespace {
// group: one row of the merged map of a sample; row: 4 x its pixel + the place in the block
template <class T> struct moved {
    static constexpr int KEEP = 0, SUMS = 0;
    const T *from;
    T *to;
    int64_t width, channels; // sizes of the large map
    bool back, add;
    template <int N> __device__ void start(int64_t, int64_t, float (&)[1][N]) const {}
    template <int N>
    __device__ void at(const chl::place &p, const float (&)[1][N], float (&)[1][N]) const {
        const int64_t line = 2 * p.group + p.row % 2, pixel = p.row / 4 * 2 + p.row % 4 / 2;
        const int64_t large = (line * width + pixel) * channels + p.column;
        float v[N];
        chl::load(from + (back ? p.at : large), v);
        chl::store(to + (back ? large : p.at), v, add);
    }
};

chl_kernel_status move(const chl_call *call, const chl_desc &large, bool back) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    const int64_t width = large.dim[2], channels = large.dim[3];
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        return chl::columns<T>(call, {large.dim[0] * large.dim[1] / 2, 2 * width, channels},
                               moved<T>{chl::in<T>(call, 0), chl::out<T>(call, 0), width, channels,
                                        back, chl::adds(call, 0)});
    });
}
chl_kernel_status forward(const chl_call *call) {
    return move(call, call->in_desc[0], false);
}
chl_kernel_status backward(const chl_call *call) {
    return move(call, call->out_desc[0], true);
}
} // namespace

const chl_body chl_cuda_patch_merge = {forward, nullptr, nullptr};
const chl_body chl_cuda_patch_merge_dx = {backward, nullptr, nullptr};
