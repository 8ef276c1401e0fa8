/* The CPU as a device: host memory, bodies from kernels/cpu. */
#include "cpu/lib/cpu.h"
#include "runtime/backend.h"
#include <stdlib.h>
#include <sys/mman.h>

#define ALIGNMENT 64 /* a cache line, and the widest vector */
#define HUGE_PAGE ((size_t)2 << 20)

/* Memory can run out in two places: here, where it is an error, and in the library of the matrix
 * product, which ends the process. So that it is here, some must be left. */
static bool leaves_room(void) {
    const size_t reserve = chl_cpu_reserve();
    if (reserve == 0) return true;
    void *room = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    munmap(room, reserve);
    return true;
}

/* Large regions ask for huge pages: packed weights are streamed once a step, and with 4 KiB pages
 * the address translation costs 3 to 9 % of a 512-channel convolution. */
static chl_status allocate(chl_device *device, size_t bytes, void **out) {
    (void)device;
    const size_t unit = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    *out = aligned_alloc(unit, (bytes + unit - 1) & ~(unit - 1)); /* it wants whole multiples */
    if (*out && !leaves_room()) {
        free(*out);
        *out = NULL;
    }
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

/* --- queues and events: all work is done while the caller waits --------------------------------
 */
static chl_status queue_new(chl_device *device, chl_queue **out) {
    (void)device;
    *out = NULL;
    return CHL_OK;
}
static void queue_free(chl_device *device, chl_queue *queue) {
    (void)device;
    (void)queue;
}
static chl_status queue_synchronise(chl_device *device, chl_queue *queue) {
    (void)device;
    (void)queue;
    return CHL_OK;
}
static chl_status event_new(chl_device *device, chl_event **out) {
    (void)device;
    *out = NULL;
    return CHL_OK;
}
static void event_free(chl_device *device, chl_event *event) {
    (void)device;
    (void)event;
}
static chl_status event_record(chl_device *device, chl_event *event, chl_queue *queue) {
    (void)device;
    (void)event;
    (void)queue;
    return CHL_OK;
}
static chl_status queue_wait(chl_device *device, chl_queue *queue, chl_event *event) {
    (void)device;
    (void)queue;
    (void)event;
    return CHL_OK;
}
static chl_status event_synchronise(chl_device *device, chl_event *event) {
    (void)device;
    (void)event;
    return CHL_OK;
}
static chl_status copy_on(chl_device *device, chl_queue *queue, void *to, const void *from,
                          size_t bytes) {
    (void)queue;
    return copy(device, to, from, bytes);
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
        .samples_apart = true,
        .body = chl_cpu_body,
        .paths = chl_cpu_paths,
        .packs_linear = chl_cpu_packs_linear,
        .close = close_device,
        .allocate = allocate,
        .release = release,
        .upload = copy,
        .download = copy,
        .clear = clear,
        .queue_new = queue_new,
        .queue_free = queue_free,
        .queue_synchronise = queue_synchronise,
        .event_new = event_new,
        .event_free = event_free,
        .event_record = event_record,
        .queue_wait = queue_wait,
        .event_synchronise = event_synchronise,
        .pinned_allocate = allocate,
        .pinned_release = release,
        .upload_async = copy_on,
        .download_async = copy_on,
    };
    static chl_device device = {.backend = &backend, .name = "cpu"};
    return &device;
}
