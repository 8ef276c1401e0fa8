// One kernel source for two compilers: nvcc makes GPU code of it, a C++ compiler runs it on the
// CPU, thread by thread, and reports races, divergence and reads of what was never written
// (tests/emu).
//
//     #include "cuda/lib/simt.h"
//
//     SIMT_KERNEL((256), scale, const float *x, float *y, float factor, int count) {
//         const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
//         if (i < count) y[i] = factor * x[i];
//     }
//
//     int error = simt::launch(scale, {dim3((count + 255) / 256), dim3(256)}, stream,
//                              x, y, 2.f, count);
//
// SIMT_KERNEL((threads[, blocks]), name, parameters...)
//                                    a kernel with its launch bounds; may be a template
// SIMT_SHARED(name, type)            a variable in shared memory: SIMT_SHARED(tile, float[16][17])
// SIMT_DYNAMIC_SHARED(type, name)    what the launch asked for, 1024-byte aligned
// SIMT_DEVICE                        a function that kernels call
// simt::launch(kernel, {grid, block, dynamic bytes, sm}, stream, arguments...)
//                                    returns 0 or a cudaError_t
// simt::barrier_sync, barrier_arrive, cp_async16, cp_async4, ldmatrix, mma_m16n8k16, ...: below
//
// Raw <<<>>>, __shared__ and inline PTX stand in these headers alone: what the CPU cannot run is
// not tested (tests/emu/check_raw.sh). How to write a kernel: docs/kernels/README.md.
#pragma once

#ifdef __CUDACC__
#include "cuda/lib/simt_hopper.h"
#include "cuda/lib/simt_nvcc.h"
#else
#include "emu/simt_emu.h"
#endif

namespace simt {
// the sum, the greatest of the 32 lanes' values, in every lane and in the same order of additions
SIMT_DEVICE float warp_sum(float v) {
    for (int step = 16; step; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
}
SIMT_DEVICE float warp_max(float v) {
    for (int step = 16; step; step /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, step));
    return v;
}
} // namespace simt
