// Per sample the mean of |a - b| (its slope at 0 is 0) or of (a - b)^2. Forward 8 bytes a number,
// backward 12: bound by memory. Blocks that share a sample leave partial sums, added up in order.
#include "cuda/lib/body.h"

namespace {
constexpr int THREADS = 256, PER_THREAD = 32; // the minimum of numbers per thread
constexpr int64_t MAX_BLOCKS = 132 * 8, MAX_SAMPLES = 65535;

struct pictures {
    const float *a, *b;
    int64_t samples, size;
    bool squares;
};
pictures pictures_of(const chl_call *call, int a) {
    const int64_t samples = call->in_desc[a].dim[0];
    return {chl::in<float>(call, a), chl::in<float>(call, a + 1), samples,
            samples ? chl_count(&call->in_desc[a]) / samples : 0,
            call->attr.loss.pixel == CHL_PIXEL_L2};
}

// Blocks per sample: enough that all samples together fill the chip.
int64_t parts_of(const chl_desc &d) {
    if (d.dim[0] == 0) return 1;
    const int64_t size = chl_count(&d) / d.dim[0], wanted = (MAX_BLOCKS + d.dim[0] - 1) / d.dim[0];
    const int64_t max_blocks = (size + THREADS * PER_THREAD - 1) / (THREADS * PER_THREAD);
    return max_blocks < 1 ? 1 : max_blocks < wanted ? max_blocks : wanted;
}
dim3 grid_of(const chl_desc &d) {
    return dim3(unsigned(parts_of(d)), unsigned(d.dim[0] < MAX_SAMPLES ? d.dim[0] : MAX_SAMPLES));
}

template <int N> SIMT_KERNEL((THREADS), part_sums, pictures x, float *partial) {
    const int64_t stride = int64_t(gridDim.x) * THREADS * N;
    for (int64_t n = blockIdx.y; n < x.samples; n += gridDim.y) {
        float sum = 0, a[N], b[N];
        for (int64_t i = (int64_t(blockIdx.x) * THREADS + threadIdx.x) * N; i < x.size;
             i += stride) {
            chl::load(x.a + n * x.size + i, a);
            chl::load(x.b + n * x.size + i, b);
            for (int k = 0; k < N; k++) {
                const float step = a[k] - b[k];
                sum += x.squares ? step * step : fabsf(step);
            }
        }
        sum = chl::block_sum<THREADS>(sum);
        if (threadIdx.x == 0) partial[n * gridDim.x + blockIdx.x] = sum;
    }
}

// One warp adds the partial sums of one sample.
SIMT_KERNEL((THREADS), add_parts, const float *partial, int64_t parts, int64_t samples,
            int64_t size, float *loss, bool add) {
    const int lane = int(threadIdx.x) % 32;
    const int64_t n = int64_t(blockIdx.x) * (THREADS / 32) + threadIdx.x / 32;
    if (n >= samples) return;
    float sum = 0;
    for (int64_t p = lane; p < parts; p += 32) sum += partial[n * parts + p];
    sum = simt::warp_sum(sum);
    if (lane == 0) chl::put(loss + n, sum / float(size), add);
}

__device__ inline float slope_of(float step, bool squares) {
    if (squares) return 2 * step;
    return step > 0 ? 1.0f : step < 0 ? -1.0f : 0.0f;
}
template <int N>
SIMT_KERNEL((THREADS), slopes, pictures x, const float *dloss, float *da, bool add) {
    const int64_t stride = int64_t(gridDim.x) * THREADS * N;
    for (int64_t n = blockIdx.y; n < x.samples; n += gridDim.y) {
        const float share = dloss[n] / float(x.size);
        float a[N], b[N];
        for (int64_t i = (int64_t(blockIdx.x) * THREADS + threadIdx.x) * N; i < x.size;
             i += stride) {
            chl::load(x.a + n * x.size + i, a);
            chl::load(x.b + n * x.size + i, b);
            for (int k = 0; k < N; k++) a[k] = share * slope_of(a[k] - b[k], x.squares);
            chl::store(da + n * x.size + i, a, add);
        }
    }
}

size_t forward_workspace(const chl_call *call) {
    return size_t(call->in_desc[0].dim[0] * parts_of(call->in_desc[0])) * sizeof(float);
}
chl_kernel_status forward(const chl_call *call) {
    const pictures x = pictures_of(call, 0);
    if (!call->out[0] || x.samples == 0) return CHL_KERNEL_OK;
    float *partial = static_cast<float *>(call->workspace);
    const int64_t blocks = (x.samples + THREADS / 32 - 1) / (THREADS / 32);
    const chl_kernel_status status = chl::status(
        simt::launch(x.size % 4 ? part_sums<1> : part_sums<4>,
                     {grid_of(call->in_desc[0]), dim3(THREADS)}, call->stream, x, partial));
    if (status != CHL_KERNEL_OK) return status;
    return chl::status(simt::launch(add_parts, {dim3(unsigned(blocks)), dim3(THREADS)},
                                    call->stream, partial, parts_of(call->in_desc[0]), x.samples,
                                    x.size, chl::out<float>(call, 0), chl::adds(call, 0)));
}
chl_kernel_status backward(const chl_call *call) {
    const pictures x = pictures_of(call, 1);
    if (!call->out[0] || x.samples == 0) return CHL_KERNEL_OK;
    return chl::status(simt::launch(
        x.size % 4 ? slopes<1> : slopes<4>, {grid_of(call->in_desc[1]), dim3(THREADS)},
        call->stream, x, chl::in<float>(call, 0), chl::out<float>(call, 0), chl::adds(call, 0)));
}
} // namespace

const chl_body chl_cuda_pixel_loss = {forward, forward_workspace, nullptr};
const chl_body chl_cuda_pixel_loss_da = {backward, nullptr, nullptr};
