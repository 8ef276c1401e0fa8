// cp.async: copies that land at their wait (EMU_LAND=late, the default: forgetting the wait reads
// NaN) or at once (early: overwriting what others still read shows). Both are legal behaviours of a
// GPU.
#pragma once
#include "emu_block.h"

namespace simt {
namespace emu {
void cp_async(void *to, const void *from, unsigned size, unsigned valid, Where here);
void cp_async_commit();
void cp_async_wait(unsigned groups_left);
} // namespace emu

// Copies 16 bytes to shared memory; where !valid, writes 16 zero bytes and reads nothing.
static inline void cp_async16(void *to, const void *from, bool valid = true, EMU_HERE) {
    emu::cp_async(to, from, 16, valid ? 16 : 0, here);
}
// The same with 4 bytes: for rows that are not 16-byte aligned.
static inline void cp_async4(void *to, const void *from, bool valid = true, EMU_HERE) {
    emu::cp_async(to, from, 4, valid ? 4 : 0, here);
}
static inline void cp_async_commit() {
    emu::cp_async_commit();
}
// Waits until at most N of this thread's committed groups are in flight.
template <int N> static inline void cp_async_wait() {
    emu::cp_async_wait(N);
}
} // namespace simt
