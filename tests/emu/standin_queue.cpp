// The emulated GPU's queues, lent to cufft_standin.cpp and cublaslt_standin.cpp.
#include "emu_block.h"

extern "C" __attribute__((visibility("default"))) int
standin_queue(void *stream, int (*work)(void *), void *data) {
    return simt::emu::queued(stream, [work, data] { return work(data); });
}
