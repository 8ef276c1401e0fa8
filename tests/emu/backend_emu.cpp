#include "backend_emu.h"
#include "cuda/lib/body.h"
#include "emu_queue.h"
#include "runtime/cuda/table.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" const chl_body *chl_cuda_body(chl_op op);
extern "C" const chl_paths *chl_cuda_paths(chl_op op);
extern "C" const chl_fused_body *chl_cuda_fused(chl_fusion fusion);
extern "C" bool chl_cuda_packs_linear(const chl_call *linear);

using simt::emu::Event;
using simt::emu::Queue;
using simt::emu::QueuedWork;

// A Hopper that few tiles fill, so that small shapes take its path too; the other tensor-core tiles
// are dealt as on a whole chip. EMU_FILL="A B" says otherwise (gpu_traits; B is 0: not a Hopper),
// EMU_SHARED=N what shared memory a block may have, EMU_TRANSFORMS=cufft that log-mel takes cuFFT.
static chl::gpu_traits choose_gpu() {
    chl::gpu_traits gpu;
    gpu.hopper_fill = 2;
    gpu.shared = std::min(gpu.shared, simt::emu::settings().shared);
    if (const char *said = std::getenv("EMU_FILL"))
        if (std::sscanf(said, "%d %d", &gpu.fill, &gpu.hopper_fill) != 2) std::abort();
    if (const char *said = std::getenv("EMU_TRANSFORMS"))
        gpu.own_transforms = std::strcmp(said, "cufft") != 0;
    return gpu;
}
static chl::gpu_traits &emulated() {
    static chl::gpu_traits gpu = choose_gpu();
    return gpu;
}

namespace {
constexpr size_t ALIGNMENT = 256; // as cudaMalloc aligns
constexpr size_t PAGE = 4096;

struct opened {
    chl_device device = {};
    chl::vendor_libraries vendor;
    int fault = 0;                              // of queued work; it stays, as on a GPU
    std::vector<std::shared_ptr<Queue>> queues; // the first is the default one
};
opened &of(chl_device *device) {
    return *static_cast<opened *>(device->context);
}
Queue &queue_of(chl_queue *queue) {
    return *reinterpret_cast<Queue *>(queue);
}
Queue &queue_of(chl_device *device) {
    return queue_of(device->queue);
}
Event &event_of(chl_event *event) {
    return *reinterpret_cast<Event *>(event);
}
chl_queue *add_queue(opened &o) {
    o.queues.push_back(std::make_shared<Queue>(o.queues.empty(), &o.fault));
    return reinterpret_cast<chl_queue *>(o.queues.back().get());
}

int enqueue(void *stream, QueuedWork work) {
    if (!stream) return work();
    static_cast<Queue *>(stream)->add(std::move(work));
    return 0;
}

chl_status refused(const char *why) {
    if (!why) return CHL_OK;
    (void)chl::fail(CHL_KERNEL_FAILED, "%s", why);
    return CHL_ERR_INTERNAL;
}
chl_status healthy(chl_device *device) {
    return chl::status(of(device).fault) == CHL_KERNEL_OK ? CHL_OK : CHL_ERR_INTERNAL;
}
// What would wait for a queue that captures spoils the capture.
chl_status outside_capture(Queue &q) {
    if (!q.capture) return CHL_OK;
    q.capture->broken = "a queue that captures cannot be waited for, nor its device's memory "
                        "copied synchronously";
    return refused(q.capture->broken);
}

void bind(chl_device *device) {
    chl::gpu = emulated();
    chl::gpu.vendor = &of(device).vendor;
    chl::last_fault = {};
}
const char *last_error(chl_device *) {
    static thread_local char text[sizeof chl::last_fault.text];
    const chl::fault fault = chl::last_fault;
    chl::last_fault = {};
    if (fault.code == 0 && !fault.text[0]) return nullptr;
    if (fault.code == 0)
        std::snprintf(text, sizeof text, "%s", fault.text);
    else
        std::snprintf(text, sizeof text, "work was refused or failed with error %d", fault.code);
    return text;
}

// --- memory --------------------------------------------------------------------------------------
chl_status aligned(size_t unit, size_t bytes, void **out) {
    *out = std::aligned_alloc(unit, (bytes + unit - 1) & ~(unit - 1));
    return *out ? CHL_OK : CHL_ERR_MEMORY;
}
chl_status allocate(chl_device *, size_t bytes, void **out) {
    return aligned(ALIGNMENT, bytes, out);
}
void release(chl_device *device, void *memory) {
    queue_of(device).land();
    std::free(memory);
}
chl_status pinned_allocate(chl_device *, size_t bytes, void **out) {
    return aligned(PAGE, bytes, out);
}
void pinned_release(chl_device *, void *memory) {
    std::free(memory);
}

// --- copies on the default queue -----------------------------------------------------------------
chl_status upload(chl_device *device, void *to, const void *host, size_t bytes) {
    const chl_status status = outside_capture(queue_of(device));
    if (status != CHL_OK) return status;
    const char *from = static_cast<const char *>(host);
    queue_of(device).add([to, staged = std::vector<char>(from, from + bytes)] {
        if (!staged.empty()) std::memcpy(to, staged.data(), staged.size());
        return 0;
    });
    return healthy(device);
}
chl_status download(chl_device *device, void *host, const void *from, size_t bytes) {
    const chl_status status = outside_capture(queue_of(device));
    if (status != CHL_OK) return status;
    queue_of(device).land();
    std::memcpy(host, from, bytes);
    return healthy(device);
}
chl_status clear(chl_device *device, void *memory, size_t bytes) {
    queue_of(device).add([=] {
        std::memset(memory, 0, bytes);
        return 0;
    });
    return healthy(device);
}

// --- queues and events ---------------------------------------------------------------------------
chl_status queue_new(chl_device *device, chl_queue **out) {
    *out = add_queue(of(device));
    return CHL_OK;
}
void queue_free(chl_device *device, chl_queue *queue) {
    if (!queue) return;
    queue_of(queue).land();
    std::vector<std::shared_ptr<Queue>> &all = of(device).queues;
    for (size_t i = 0; i < all.size(); i++)
        if (all[i].get() == &queue_of(queue)) return void(all.erase(all.begin() + long(i)));
}
chl_status queue_synchronise(chl_device *device, chl_queue *queue) {
    const chl_status status = outside_capture(queue_of(queue));
    if (status != CHL_OK) return status;
    queue_of(queue).land();
    return healthy(device);
}
chl_status event_new(chl_device *, chl_event **out) {
    *out = reinterpret_cast<chl_event *>(new Event);
    return CHL_OK;
}
void event_free(chl_device *, chl_event *event) {
    delete &event_of(event);
}
chl_status event_record(chl_device *device, chl_event *event, chl_queue *queue) {
    event_of(event).record(&queue_of(queue));
    return healthy(device);
}
chl_status queue_wait(chl_device *device, chl_queue *queue, chl_event *event) {
    const char *why = simt::emu::wait(queue_of(queue), event_of(event));
    return why ? refused(why) : healthy(device);
}
chl_status event_synchronise(chl_device *device, chl_event *event) {
    const Event &e = event_of(event);
    if (e.capture) return refused("an event of a capture cannot be waited for by the host");
    if (e.queue) e.queue->land(e.position);
    return healthy(device);
}
chl_status upload_async(chl_device *device, chl_queue *queue, void *to, const void *from,
                        size_t bytes) {
    queue_of(queue).add([=] {
        std::memcpy(to, from, bytes);
        return 0;
    });
    return healthy(device);
}
// who reads too early finds NaNs
chl_status download_async(chl_device *device, chl_queue *queue, void *pinned, const void *from,
                          size_t bytes) {
    if (!queue_of(queue).capture) std::memset(pinned, 0xff, bytes);
    return upload_async(device, queue, pinned, from, bytes);
}

// --- capture -------------------------------------------------------------------------------------
chl_status begin_capture(chl_device *device, chl_queue *queue) {
    if (queue_of(queue).capture) return refused("this queue captures already");
    simt::emu::begin_capture(queue_of(queue));
    return healthy(device);
}
chl_status end_capture(chl_device *device, chl_queue *queue, chl_recording **out) {
    std::vector<QueuedWork> work;
    *out = nullptr;
    const char *why = simt::emu::end_capture(queue_of(queue), &work);
    if (why) return refused(why);
    *out = reinterpret_cast<chl_recording *>(new std::vector<QueuedWork>(std::move(work)));
    return healthy(device);
}
chl_status replay(chl_device *device, chl_queue *queue, chl_recording *recording) {
    for (const QueuedWork &work : *reinterpret_cast<std::vector<QueuedWork> *>(recording))
        queue_of(queue).add(work);
    return healthy(device);
}
void destroy_capture(chl_device *device, chl_recording *recording) {
    queue_of(device).land();
    delete reinterpret_cast<std::vector<QueuedWork> *>(recording);
}

// --- opening and closing -------------------------------------------------------------------------
void close_device(chl_device *device) {
    if (device == chl_device_emu()) return; // there for good
    queue_of(device).land();
    if (chl::gpu.vendor == &of(device).vendor) chl::gpu = {};
    delete &of(device);
}

const chl_backend *table() {
    static const chl_backend backend = [] {
        simt::emu::enqueue = enqueue;
        chl_backend b = {};
        CHL_CUDA_TABLE(b, "emu");
        b.emulated = true;
        return b;
    }();
    return &backend;
}
} // namespace

chl_device *chl_emu_open(void) {
    opened *o = new opened;
    o->device = {table(), "emu", add_queue(*o), o, nullptr};
    return &o->device;
}
chl_device *chl_device_emu(void) {
    static chl_device *device = chl_emu_open();
    return device;
}

int chl_emu_enqueue(void *stream, int (*work)(void *data), void *data,
                    void (*release)(void *data)) {
    const std::shared_ptr<void> kept(data, release);
    return enqueue(stream, [work, kept] { return work(kept.get()); });
}
void chl_emu_queue_fault(chl_queue *queue) {
    constexpr int LAUNCH_FAILURE = 719;
    queue_of(queue).add([] { return LAUNCH_FAILURE; });
}

void chl_emu_rehearse(int sm) {
    simt::emu::settings().rehearse = sm;
    emulated() = {};
    emulated().shared = simt::emu::block_shared(sm);
    if (sm == 90) emulated().hopper_fill = emulated().fill;
}
int64_t chl_emu_launches(void) {
    return simt::emu::launches();
}

const char *chl_emu_way(int way) {
    using simt::emu::Order;
    static const struct {
        Order order;
        bool early;
        const char *name;
    } ways[CHL_EMU_WAYS] = {
        {Order::forward, false, "EMU_ORDER=forward EMU_LAND=late"},
        {Order::reverse, true, "EMU_ORDER=reverse EMU_LAND=early"},
        {Order::random, false, "EMU_ORDER=random:7 EMU_LAND=late"},
        {Order::forward, true, "EMU_ORDER=forward EMU_LAND=early"},
        {Order::reverse, false, "EMU_ORDER=reverse EMU_LAND=late"},
        {Order::random, true, "EMU_ORDER=random:7 EMU_LAND=early"},
    };
    simt::emu::Settings &s = simt::emu::settings();
    s.order = ways[way].order;
    s.early = ways[way].early;
    s.seed = 7;
    return ways[way].name;
}
