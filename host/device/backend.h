/* A backend: where tensors live and ops run. One versioned table of functions; the CPU's is linked
 * in, CUDA's comes from a module opened at run time, the emulator's from the tests. */
#ifndef CHL_DEVICE_BACKEND_H
#define CHL_DEVICE_BACKEND_H
#include "ops.h"
#include <stdbool.h>

#define CHL_BACKEND_VERSION 1

typedef struct chl_backend {
    uint32_t version;
    const char *name;
    bool
        host_memory; /* device pointers are host pointers: frozen weights are used where they lie */
    /* NULL when this backend lacks the op. */
    const chl_body *(*body)(chl_op op);
    /* 64-byte aligned device memory; *out is NULL on failure. */
    chl_status (*allocate)(size_t bytes, void **out);
    void (*release)(void *memory);
    chl_status (*upload)(void *device, const void *host, size_t bytes);
    chl_status (*download)(void *host, const void *device, size_t bytes);
    chl_status (*clear)(void *device, size_t bytes);
} chl_backend;

/* All tables are process-wide and immutable. */
const chl_backend *chl_backend_cpu(void);
#endif
