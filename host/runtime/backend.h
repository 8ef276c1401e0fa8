/* A backend: where tensors live and ops run. One versioned table of functions; the CPU's is linked
 * in, CUDA's comes from a module opened at run time, the emulator's from the tests. */
#ifndef CHL_DEVICE_BACKEND_H
#define CHL_DEVICE_BACKEND_H
#include "ops.h"
#include <chladni/status.h>
#include <stdbool.h>

#define CHL_BACKEND_VERSION 3

typedef struct chl_backend {
    uint32_t version;
    const char *name;
    bool
        host_memory; /* device pointers are host pointers: frozen weights are used where they lie */
    bool bf16;       /* its bodies take bf16 activations */
    void *stream;    /* what every call gets */
    /* NULL when this backend lacks the op. */
    const chl_body *(*body)(chl_op op);
    /* NULL, or NULL for a fusion, where this backend runs the calls one by one. */
    const chl_fused_body *(*fused)(chl_fusion fusion);
    /* 64-byte aligned device memory; *out is NULL on failure. */
    chl_status (*allocate)(size_t bytes, void **out);
    void (*release)(void *memory);
    chl_status (*upload)(void *device, const void *host, size_t bytes);
    chl_status (*download)(void *host, const void *device, size_t bytes);
    chl_status (*clear)(void *device, size_t bytes);
    /* What went wrong, when a body or a function above failed; NULL: nothing to add. */
    const char *(*last_error)(void);
    /* Recording: calls between `record` and `recorded` are queued into an object instead of run,
     * and `replay` runs all of them without work on the host. All four NULL where there is nothing
     * to gain. A recording is made once per segment, after the segment has run once. */
    chl_status (*begin_capture)(void);
    chl_status (*end_capture)(void **recording);
    chl_status (*replay)(void *recording);
    void (*destroy_capture)(void *recording);
} chl_backend;

/* All tables are process-wide and immutable. */
const chl_backend *chl_backend_cpu(void);
#endif
