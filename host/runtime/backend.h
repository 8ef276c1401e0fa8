/* A backend: where tensors live and where ops run.
 *
 * chl_backend is the table of functions of one kind of device (the CPU, CUDA, the emulated GPU of
 * the tests); it is immutable and has a version. chl_device is one opened device, the context that
 * every function takes: its name, its default queue, its memory and its last error.
 *
 *     const char *why;
 *     chl_device *device = chl_device_open("cuda:1", &why);       runtime/open.h
 *     const chl_backend *b = device->backend;
 *     float *x;
 *     CHL_TRY(b->allocate(device, bytes, (void **)&x));
 *     CHL_TRY(b->upload(device, x, data, bytes));
 *     call.stream = device->queue;                                a body runs on a queue
 *     chl_device_bind(device);                                    before bodies and their hooks
 *     b->body(CHL_OP_mean)->run(&call);
 *     CHL_TRY(b->download(device, result, call.out[0], bytes));   waits for the mean
 *     b->release(device, x);
 *     chl_device_close(device);
 *
 * Threads: a process may open any number of devices, one GPU several times too. A device may be
 * used from any thread, by one thread at a time; threads that compute at the same time open a
 * device each. The CPU's device has no state: all threads share it. */
#ifndef CHL_DEVICE_BACKEND_H
#define CHL_DEVICE_BACKEND_H
#include "collectives.h"
#include "ops.h"
#include <chladni/status.h>
#include <stdbool.h>

#define CHL_BACKEND_VERSION 7

typedef struct chl_backend chl_backend;
/* Work that is done in the order in which it was queued; chl_call.stream is one. Two queues have no
 * order but what events give them. */
typedef struct chl_queue chl_queue;
/* A point in a queue that another queue, or the host, can wait for. */
typedef struct chl_event chl_event;
/* Queued work that end_capture made an object of. */
typedef struct chl_recording chl_recording;

typedef struct chl_device {
    const chl_backend *backend;
    const char *name; /* "cpu", "cuda:1 (NVIDIA H100)" */
    chl_queue *queue; /* the default queue; made and freed with the device */
    void *context;    /* the backend's own */
    /* The other ranks that run the same graphs, each on a device of its own; NULL: there are none.
     * It belongs to the device, as a queue does: what NCCL opens, it opens for one GPU, and a body
     * gets both from the same place. chl_device_with sets it. The caller closes it. */
    chl_comm *comm;
} chl_device;

/* A function that fails leaves a text with last_error. A GPU reports a fault of queued work with a
 * later call: any of these may fail for it, at the latest the next download. */
struct chl_backend {
    uint32_t version;
    const char *name; /* of the kind: "cpu", "cuda" */
    /* Bytes, a power of two: of what allocate returns, and of every tensor and workspace that the
     * graph puts into it. */
    size_t alignment;
    /* Device pointers are host pointers: frozen weights are used where they lie. */
    bool host_memory;
    bool bf16;     /* its bodies take bf16 activations */
    bool emulated; /* it stands in for a device: how long its work takes says nothing */
    /* While all weights are frozen, the bits of a sample depend on it alone, not on the batch:
     * tests/edit/test_neighbours.c. */
    bool samples_apart;

    /* NULL when this backend lacks the op. */
    const chl_body *(*body)(chl_op op);
    /* NULL, or NULL for an op, where this backend computes it in one way. */
    const chl_paths *(*paths)(chl_op op);
    /* NULL, or NULL for a fusion, where this backend runs the calls one by one. */
    const chl_fused_body *(*fused)(chl_fusion fusion);
    /* Whether `linear` on a frozen weight takes a packed copy of it (linear_pack): faster, or
     * needed, at the cost of the copy's memory. Sees shapes and types only. NULL: never. */
    bool (*packs_linear)(const chl_call *linear);
    /* Makes the device the one that bodies and their hooks called by this thread work on; NULL
     * where they need none. chl_device_bind calls it. The other functions here bind by
     * themselves. */
    void (*bind)(chl_device *device);

    /* Waits for the default queue, gives back what the device holds. Its memory is released
     * before. */
    void (*close)(chl_device *device);
    /* What went wrong, when a body or a function here last failed in this thread, and forgets it;
     * NULL: nothing to add. The text stays valid until this thread's next call. */
    const char *(*last_error)(chl_device *device);

    /* *out is NULL on failure. */
    chl_status (*allocate)(chl_device *device, size_t bytes, void **out);
    /* Waits for the default queue. NULL is allowed. */
    void (*release)(chl_device *device, void *memory);

    /* In the order of the default queue. upload: `host` may change when it returns, though the
     * device may read a copy of it later. download: complete when it returns. */
    chl_status (*upload)(chl_device *device, void *to, const void *host, size_t bytes);
    chl_status (*download)(chl_device *device, void *host, const void *from, size_t bytes);
    chl_status (*clear)(chl_device *device, void *memory, size_t bytes);

    /* Queues beside the default one. A handle is NULL where all work is done while the caller
     * waits (the CPU). queue_free waits for the queue's work. */
    chl_status (*queue_new)(chl_device *device, chl_queue **out);
    void (*queue_free)(chl_device *device, chl_queue *queue);
    /* Returns when all that is queued is done, and reports what went wrong in it. */
    chl_status (*queue_synchronise)(chl_device *device, chl_queue *queue);

    /* Events. queue_wait: what is queued on `queue` from now on begins after what was queued
     * before the event's last record; without a record there is nothing to wait for. Fork and
     * join, also inside a capture, where they become branches of the recording:
     *
     *     b->event_record(device, ready, device->queue);
     *     b->queue_wait(device, side, ready);                 fork
     *     ... calls on side, calls on device->queue ...
     *     b->event_record(device, done, side);
     *     b->queue_wait(device, device->queue, done);         join
     *
     * The memory of calls on `side` must stay untouched until the join. */
    chl_status (*event_new)(chl_device *device, chl_event **out);
    void (*event_free)(chl_device *device, chl_event *event);
    chl_status (*event_record)(chl_device *device, chl_event *event, chl_queue *queue);
    chl_status (*queue_wait)(chl_device *device, chl_queue *queue, chl_event *event);
    /* The host waits. */
    chl_status (*event_synchronise)(chl_device *device, chl_event *event);

    /* Copies that go on while the caller does. The host's memory is pinned, and is neither written
     * nor (download) read before an event behind the copy, or the queue, was waited for. */
    chl_status (*pinned_allocate)(chl_device *device, size_t bytes, void **out);
    void (*pinned_release)(chl_device *device, void *memory);
    chl_status (*upload_async)(chl_device *device, chl_queue *queue, void *to, const void *pinned,
                               size_t bytes);
    chl_status (*download_async)(chl_device *device, chl_queue *queue, void *pinned,
                                 const void *from, size_t bytes);

    /* Capture: what is queued on `queue`, and on queues that fork from it, between begin_capture
     * and end_capture becomes a recording instead of running; `replay` queues all of it at once.
     * Until end_capture only calls, asynchronous copies and events may be queued, and every fork
     * must be joined. All four NULL where there is nothing to gain. A recording is made once per
     * segment, after the segment has run once. */
    chl_status (*begin_capture)(chl_device *device, chl_queue *queue);
    chl_status (*end_capture)(chl_device *device, chl_queue *queue, chl_recording **out);
    chl_status (*replay)(chl_device *device, chl_queue *queue, chl_recording *recording);
    /* Waits for the default queue. */
    void (*destroy_capture)(chl_device *device, chl_recording *recording);
};

/* The CPU; always there, never closed. */
chl_device *chl_device_cpu(void);

static inline void chl_device_bind(chl_device *device) {
    if (device->backend->bind) device->backend->bind(device);
}
/* The same opened device, which collectives of graphs on it reach `comm` through; its memory must
 * be what `comm` takes (chl_comm_kind.host_memory). Valid while `device` is open. */
static inline chl_device chl_device_with(const chl_device *device, chl_comm *comm) {
    chl_device joined = *device;
    joined.comm = comm;
    return joined;
}
/* last_error's text, of the communicator or of the device; "no reason given" where there is none */
static inline const char *chl_device_error(chl_device *device) {
    const char *text = device->comm ? device->comm->kind->last_error(device->comm) : NULL;
    if (!text && device->backend->last_error) text = device->backend->last_error(device);
    return text ? text : "no reason given";
}
#endif
