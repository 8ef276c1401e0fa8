/* The CPU as a device: host memory, bodies from kernels/cpu. */
#include "cpu/lib/cpu.h"
#include "runtime/backend.h"
#include <stdlib.h>
#include <sys/mman.h>

#define ALIGNMENT 64 /* a cache line, and the widest vector */
#define HUGE_PAGE ((size_t)2 << 20)

/* Large regions ask for huge pages: packed weights are streamed once a step, and with 4 KiB pages
 * the address translation costs 3 to 9 % of a 512-channel convolution. */
static chl_status allocate(chl_device *device, size_t bytes, void **out) {
    (void)device;
    const size_t unit = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    *out = aligned_alloc(unit, (bytes + unit - 1) & ~(unit - 1)); /* it wants whole multiples */
    if (!*out) return CHL_ERR_MEMORY;
#ifdef MADV_HUGEPAGE
    /* advice only: where it is not taken everything still works */
    if (unit == HUGE_PAGE) (void)madvise(*out, bytes, MADV_HUGEPAGE);
#endif
    return CHL_OK;
}

static void release(chl_device *device, void *memory) {
    (void)device;
    free(memory);
}

static chl_status copy(chl_device *device, void *to, const void *from, size_t bytes) {
    (void)device;
    memcpy(to, from, bytes);
    return CHL_OK;
}

static chl_status clear(chl_device *device, void *memory, size_t bytes) {
    (void)device;
    memset(memory, 0, bytes);
    return CHL_OK;
}

static void close_device(chl_device *device) {
    (void)device; /* there is one, for good */
}

chl_device *chl_device_cpu(void) {
    static const chl_backend backend = {
        .version = CHL_BACKEND_VERSION,
        .name = "cpu",
        .alignment = ALIGNMENT,
        .host_memory = true,
        .body = chl_cpu_body,
        .close = close_device,
        .allocate = allocate,
        .release = release,
        .upload = copy,
        .download = copy,
        .clear = clear,
    };
    static chl_device device = {.backend = &backend, .name = "cpu"};
    return &device;
}
