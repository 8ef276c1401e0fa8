/* The CPU as a device: host memory, bodies from kernels/cpu. */
#include "cpu/lib/cpu.h"
#include "runtime/backend.h"
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* Large regions ask for huge pages: packed weights are streamed once a step, and with 4 KiB pages
 * the address translation costs 3 to 9 % of a 512-channel convolution. */
static chl_status allocate(size_t bytes, void **out) {
    const size_t unit = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : 64;
    *out = aligned_alloc(unit, (bytes + unit - 1) & ~(unit - 1)); /* it wants whole multiples */
    if (!*out) return CHL_ERR_MEMORY;
#ifdef MADV_HUGEPAGE
    /* advice only: where it is not taken everything still works */
    if (unit == HUGE_PAGE) (void)madvise(*out, bytes, MADV_HUGEPAGE);
#endif
    return CHL_OK;
}

static chl_status copy(void *to, const void *from, size_t bytes) {
    memcpy(to, from, bytes);
    return CHL_OK;
}

static chl_status clear(void *memory, size_t bytes) {
    memset(memory, 0, bytes);
    return CHL_OK;
}

const chl_backend *chl_backend_cpu(void) {
    static const chl_backend backend = {
        .version = CHL_BACKEND_VERSION,
        .name = "cpu",
        .host_memory = true,
        .body = chl_cpu_body,
        .allocate = allocate,
        .release = free,
        .upload = copy,
        .download = copy,
        .clear = clear,
    };
    return &backend;
}
