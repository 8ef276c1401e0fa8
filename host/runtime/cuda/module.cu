// libchladni_cuda.so: opened GPUs, memory, streams, events, graphs. The only file that calls the
// CUDA runtime; it is not part of the emulated backend (tests/emu/backend_emu.cpp stands in for
// it).
#include "cuda/lib/body.h"
#include "runtime/cuda/module.h"
#include "runtime/cuda/table.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>

extern "C" const chl_body *chl_cuda_body(chl_op op);
extern "C" const chl_paths *chl_cuda_paths(chl_op op);
extern "C" const chl_fused_body *chl_cuda_fused(chl_fusion fusion);
extern "C" bool chl_cuda_packs_linear(const chl_call *linear);

namespace {
constexpr size_t ALIGNMENT = 256; // of cudaMalloc, and what cuBLASLt asks of a workspace

// Pinned memory through which uploads go. The caller's memory is copied before an upload returns; a
// half is filled again only when the device has read it.
struct staging {
    static constexpr size_t HALF = size_t(1) << 20;
    char *memory = nullptr; // two halves; null until the first upload
    cudaEvent_t read[2] = {};
    int half = 0;
    size_t used = 0;
};

struct opened {
    chl_device device;
    int number;
    char name[96];
    chl::gpu_traits traits;
    chl::vendor_libraries vendor;
    staging stage;
};
opened &of(chl_device *device) {
    return *static_cast<opened *>(device->context);
}
cudaStream_t stream_of(chl_queue *queue) {
    return reinterpret_cast<cudaStream_t>(queue);
}
cudaEvent_t event_of(chl_event *event) {
    return reinterpret_cast<cudaEvent_t>(event);
}
cudaStream_t stream_of(chl_device *device) {
    return stream_of(device->queue);
}

chl_status said(cudaError_t error) {
    return chl::status(int(error)) == CHL_KERNEL_OK ? CHL_OK : CHL_ERR_INTERNAL;
}
// The runtime keeps the current device per thread: every function below chooses it first, then
// does its calls up to the first that fails.
cudaError_t choose(chl_device *device) {
    return cudaSetDevice(of(device).number);
}
template <class... F> chl_status each(chl_device *device, F... call) {
    cudaError_t error = choose(device);
    ((error = error == cudaSuccess ? call() : error), ...);
    return said(error);
}
void bind(chl_device *device) {
    (void)choose(device); // a failure shows at the launch
    chl::gpu = of(device).traits;
    chl::last_fault = {};
}

const char *last_error(chl_device *) {
    static thread_local char text[sizeof chl::last_fault.text + 96];
    const chl::fault fault = chl::last_fault;
    chl::last_fault = {};
    if (fault.code == 0 && !fault.text[0]) return nullptr;
    if (fault.code == 0)
        std::snprintf(text, sizeof text, "%s", fault.text);
    else
        std::snprintf(text, sizeof text, "%s (%s)", cudaGetErrorString(cudaError_t(fault.code)),
                      cudaGetErrorName(cudaError_t(fault.code)));
    return text;
}

// --- memory --------------------------------------------------------------------------------------
chl_status allocated(cudaError_t error) {
    if (error != cudaErrorMemoryAllocation) return said(error);
    (void)cudaGetLastError(); // it would be reported by the next launch
    (void)said(error);
    return CHL_ERR_MEMORY;
}
chl_status allocate(chl_device *device, size_t bytes, void **out) {
    *out = nullptr;
    cudaError_t error = choose(device);
    if (error == cudaSuccess) error = cudaMalloc(out, bytes ? bytes : 1);
    return allocated(error);
}
void release(chl_device *device, void *memory) {
    if (!memory) return;
    (void)choose(device);
    (void)cudaStreamSynchronize(stream_of(device));
    (void)cudaFree(memory);
}
chl_status pinned_allocate(chl_device *device, size_t bytes, void **out) {
    *out = nullptr;
    cudaError_t error = choose(device);
    if (error == cudaSuccess) error = cudaHostAlloc(out, bytes ? bytes : 1, cudaHostAllocPortable);
    return allocated(error);
}
void pinned_release(chl_device *device, void *memory) {
    if (!memory) return;
    (void)choose(device);
    (void)cudaFreeHost(memory);
}

// --- copies on the default queue -----------------------------------------------------------------
chl_status make_stage(chl_device *device) {
    staging &s = of(device).stage;
    if (s.memory) return CHL_OK;
    for (cudaEvent_t &event : s.read) {
        if (event) continue; // an earlier try got so far
        const cudaError_t error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
        if (error != cudaSuccess) return said(error);
    }
    void *memory = nullptr;
    const chl_status status = pinned_allocate(device, 2 * staging::HALF, &memory);
    s.memory = static_cast<char *>(memory);
    return status;
}
// Part of an upload, at most half the staging memory.
chl_status upload_part(chl_device *device, char *to, const char *host, size_t bytes) {
    staging &s = of(device).stage;
    if (s.used + bytes > staging::HALF) {
        cudaError_t error = cudaEventRecord(s.read[s.half], stream_of(device));
        if (error == cudaSuccess) error = cudaEventSynchronize(s.read[1 - s.half]);
        if (error != cudaSuccess) return said(error);
        s.half = 1 - s.half;
        s.used = 0;
    }
    char *from = s.memory + size_t(s.half) * staging::HALF + s.used;
    std::memcpy(from, host, bytes);
    s.used += (bytes + 15) / 16 * 16; // copies begin at whole 16 bytes
    return said(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(device)));
}
chl_status upload(chl_device *device, void *to, const void *host, size_t bytes) {
    chl_status status = said(choose(device));
    if (status == CHL_OK) status = make_stage(device);
    for (size_t at = 0; at < bytes && status == CHL_OK; at += staging::HALF)
        status =
            upload_part(device, static_cast<char *>(to) + at, static_cast<const char *>(host) + at,
                        bytes - at < staging::HALF ? bytes - at : staging::HALF);
    return status;
}
chl_status download(chl_device *device, void *host, const void *from, size_t bytes) {
    const cudaStream_t stream = stream_of(device);
    return each(
        device, [=] { return cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream); },
        [=] { return cudaStreamSynchronize(stream); });
}
chl_status clear(chl_device *device, void *memory, size_t bytes) {
    return each(device, [=] { return cudaMemsetAsync(memory, 0, bytes, stream_of(device)); });
}

// --- queues and events ---------------------------------------------------------------------------
chl_status queue_new(chl_device *device, chl_queue **out) {
    cudaStream_t stream = nullptr;
    const chl_status status =
        each(device, [&] { return cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking); });
    *out = reinterpret_cast<chl_queue *>(stream);
    return status;
}
void queue_free(chl_device *device, chl_queue *queue) {
    if (!queue) return;
    (void)choose(device);
    (void)cudaStreamSynchronize(stream_of(queue));
    (void)cudaStreamDestroy(stream_of(queue));
}
chl_status queue_synchronise(chl_device *device, chl_queue *queue) {
    return each(device, [=] { return cudaStreamSynchronize(stream_of(queue)); });
}
chl_status event_new(chl_device *device, chl_event **out) {
    cudaEvent_t event = nullptr;
    const chl_status status =
        each(device, [&] { return cudaEventCreateWithFlags(&event, cudaEventDisableTiming); });
    *out = reinterpret_cast<chl_event *>(event);
    return status;
}
void event_free(chl_device *device, chl_event *event) {
    if (!event) return;
    (void)choose(device);
    (void)cudaEventDestroy(event_of(event));
}
chl_status event_record(chl_device *device, chl_event *event, chl_queue *queue) {
    return each(device, [=] { return cudaEventRecord(event_of(event), stream_of(queue)); });
}
chl_status queue_wait(chl_device *device, chl_queue *queue, chl_event *event) {
    return each(device, [=] { return cudaStreamWaitEvent(stream_of(queue), event_of(event), 0); });
}
chl_status event_synchronise(chl_device *device, chl_event *event) {
    return each(device, [=] { return cudaEventSynchronize(event_of(event)); });
}
chl_status upload_async(chl_device *device, chl_queue *queue, void *to, const void *pinned,
                        size_t bytes) {
    return each(device, [=] {
        return cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyHostToDevice, stream_of(queue));
    });
}
chl_status download_async(chl_device *device, chl_queue *queue, void *pinned, const void *from,
                          size_t bytes) {
    return each(device, [=] {
        return cudaMemcpyAsync(pinned, from, bytes, cudaMemcpyDeviceToHost, stream_of(queue));
    });
}

// --- capture -------------------------------------------------------------------------------------
chl_status begin_capture(chl_device *device, chl_queue *queue) {
    return each(device, [=] {
        return cudaStreamBeginCapture(stream_of(queue), cudaStreamCaptureModeThreadLocal);
    });
}
chl_status end_capture(chl_device *device, chl_queue *queue, chl_recording **out) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t ready = nullptr;
    const chl_status status = each(
        device, [&] { return cudaStreamEndCapture(stream_of(queue), &graph); },
        [&] { return cudaGraphInstantiate(&ready, graph, 0); });
    if (graph) (void)cudaGraphDestroy(graph);
    *out = reinterpret_cast<chl_recording *>(ready);
    return status;
}
chl_status replay(chl_device *device, chl_queue *queue, chl_recording *recording) {
    return each(device, [=] {
        return cudaGraphLaunch(reinterpret_cast<cudaGraphExec_t>(recording), stream_of(queue));
    });
}
void destroy_capture(chl_device *device, chl_recording *recording) {
    if (!recording) return;
    (void)choose(device);
    (void)cudaStreamSynchronize(stream_of(device));
    (void)cudaGraphExecDestroy(reinterpret_cast<cudaGraphExec_t>(recording));
}

// --- opening and closing -------------------------------------------------------------------------
void close_device(chl_device *device) {
    opened &o = of(device);
    (void)choose(device);
    (void)cudaStreamSynchronize(stream_of(device));
    (void)cudaStreamDestroy(stream_of(device));
    for (cudaEvent_t event : o.stage.read)
        if (event) (void)cudaEventDestroy(event);
    if (o.stage.memory) (void)cudaFreeHost(o.stage.memory);
    if (chl::gpu.vendor == &o.vendor) chl::gpu = {};
    delete &o; // its libraries with it, while the GPU is chosen
}

const chl_backend *table() {
    static const chl_backend backend = [] {
        chl_backend b = {};
        CHL_CUDA_TABLE(b, "cuda");
        return b;
    }();
    return &backend;
}

bool refuse(char *text, size_t size, cudaError_t error, int device, int count) {
    if (error == cudaErrorInsufficientDriver || error == cudaErrorNoDevice)
        std::snprintf(text, size,
                      "no CUDA backend: %s: install the NVIDIA driver, or set device to cpu",
                      cudaGetErrorString(error));
    else if (error != cudaSuccess)
        std::snprintf(text, size, "no CUDA backend: %s", cudaGetErrorString(error));
    else if (count == 0)
        std::snprintf(text, size, "no CUDA backend: no GPU is visible: set device to cpu");
    else if (device >= count)
        std::snprintf(text, size, "cuda:%d: this machine has %d (cuda:0 to cuda:%d)", device, count,
                      count - 1);
    else
        return false;
    return true;
}

// CHLADNI_CUDA_FILL, for tests: as on a chip that so few blocks fill, small shapes take the paths
// of large ones. CHLADNI_CUDA_TRANSFORMS=cufft, for comparisons: log-mel pictures by cuFFT.
chl::gpu_traits traits_of(const cudaDeviceProp &properties) {
    chl::gpu_traits gpu;
    gpu.shared = properties.sharedMemPerBlockOptin;
    if (const char *fill = std::getenv("CHLADNI_CUDA_FILL")) gpu.fill = std::atoi(fill);
    if (const char *whose = std::getenv("CHLADNI_CUDA_TRANSFORMS"))
        gpu.own_transforms = std::strcmp(whose, "cufft") != 0;
#ifdef CHLADNI_SM_90A
    if (properties.major == 9) gpu.hopper_fill = gpu.fill;
#endif
    return gpu;
}

bool too_old(char *text, size_t size, const cudaDeviceProp &properties) {
    if (properties.major >= 8) return false;
    std::snprintf(text, size, "%s is of compute capability %d.%d: 8.0 is the least",
                  properties.name, properties.major, properties.minor);
    return true;
}
} // namespace

extern "C" __attribute__((visibility("default"))) chl_device *
chl_cuda_open(uint32_t version, int number, char *text, size_t size) {
    if (version != CHL_BACKEND_VERSION) {
        std::snprintf(text, size,
                      "libchladni_cuda.so speaks version %d, the program %u: rebuild it",
                      CHL_BACKEND_VERSION, version);
        return nullptr;
    }
    int count = 0; // untouched where there is no driver
    const cudaError_t counted = cudaGetDeviceCount(&count);
    if (refuse(text, size, counted, number, count)) return nullptr;
    cudaDeviceProp properties;
    cudaStream_t stream = nullptr;
    cudaError_t error = cudaGetDeviceProperties(&properties, number);
    if (error == cudaSuccess && too_old(text, size, properties)) return nullptr;
    if (error == cudaSuccess) error = cudaSetDevice(number);
    if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (error != cudaSuccess) {
        std::snprintf(text, size, "cuda:%d: %s", number, cudaGetErrorString(error));
        return nullptr;
    }
    opened *o = new opened;
    o->number = number;
    o->traits = traits_of(properties);
    o->traits.vendor = &o->vendor;
    std::snprintf(o->name, sizeof o->name, "cuda:%d (%.64s)", number, properties.name);
    o->device = {table(), o->name, reinterpret_cast<chl_queue *>(stream), o, nullptr};
    return &o->device;
}
