// The 64-bit matrix descriptors of wgmma's operands in shared memory, as arithmetic on an address
// (PTX ISA, "Matrix Descriptor Format"): bits 0-13 address / 16, 16-29 leading step / 16, 32-45
// bytes between groups of 8 rows / 16, 62-63 swizzle (1: 128 bytes). tests/cuda/cute compares them
// with CuTe's. C++17, host and device.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define WGMMA_BOTH __host__ __device__
#else
#define WGMMA_BOTH
#endif

namespace simt {
// Rows of 64 bf16 numbers, k innermost, swizzled by 128 bytes. The leading step is unused. The next
// 16 of k are 32 bytes on: descriptor + 2.
WGMMA_BOTH constexpr uint64_t wgmma_descriptor(uint32_t address) {
    constexpr uint64_t GROUP_PITCH = 1024, SWIZZLE_128 = 1;
    return address / 16 | GROUP_PITCH / 16 << 32 | SWIZZLE_128 << 62;
}
// k outermost: columns of 64 numbers, the next 64 columns `next_columns` bytes on. The next 16 of
// k: descriptor + 128.
WGMMA_BOTH constexpr uint64_t wgmma_descriptor_turned(uint32_t address, unsigned next_columns) {
    return wgmma_descriptor(address) | static_cast<uint64_t>(next_columns) / 16 << 16;
}
} // namespace simt
#undef WGMMA_BOTH
