// What NVIDIA's CuTe (CUTLASS) says of register and shared-memory layouts, as plain functions, so
// that the TU with CuTe and the TU with chladni's emulator need not see each other's headers.
#pragma once
#include <cstdint>
namespace cute_tables {
struct at {
    int row, column;
}; // row: m or n, column: k or n
// mma.m16n8k16 bf16: operand 'a' [m,k], 'b' [n,k], 'c' [m,n]; value v of a thread (b16 for a, b;
// f32 for c)
at mma16816(char operand, int thread, int value);
// ldmatrix xN: which of the 64*N source elements (8*lane_of_address + column) half `half` of
// register r is
int ldmatrix(int matrices, bool trans, int thread, int reg, int half);
// wgmma m64nNk16 accumulator (f32) and A from registers (bf16)
at wgmma_c(int n, int thread, int value);
at wgmma_a(int thread, int value);
// byte offset in shared memory of element (row, k) of a K-major SW128 tile [rows, 64]
int smem_k_major(int rows, int row, int k);
// byte offset of element (n, k) of an MN-major SW128 tile [n = 64 or 128][64], 64-column blocks
// 8192 bytes apart
int smem_mn_major(int n_size, int n, int k);
// descriptors (start address 0) of the first 16 of k, and of k block kk (in 16s), as CuTe makes
// them
uint64_t descriptor_k_major(int rows, int kk);
uint64_t descriptor_mn_major(int n_size, int kk);
} // namespace cute_tables
