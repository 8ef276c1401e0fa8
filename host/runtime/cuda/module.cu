// libchladni_cuda.so: memory, one stream, recorded segments. The only file that calls the CUDA
// runtime; it is not part of the emulated backend (tests/emu/backend_emu.cpp stands in for it).
#include "cuda/lib/body.h"
#include "runtime/cuda/module.h"
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>

extern "C" const chl_body *chl_cuda_body(chl_op op);
extern "C" const chl_fused_body *chl_cuda_fused(chl_fusion fusion);

namespace {
constexpr size_t ALIGNMENT = 256; // of cudaMalloc, and what cuBLASLt asks of a workspace

struct opened {
    chl_device device;
    int number;
    char name[96];
    chl::gpu_traits traits;
};
opened &of(chl_device *device) {
    return *static_cast<opened *>(device->context);
}
cudaStream_t stream_of(chl_queue *queue) {
    return reinterpret_cast<cudaStream_t>(queue);
}

chl_status said(cudaError_t error) {
    return chl::status(int(error)) == CHL_KERNEL_OK ? CHL_OK : CHL_ERR_INTERNAL;
}
// The runtime keeps the current device per thread: every function below chooses it first.
cudaError_t choose(chl_device *device) {
    return cudaSetDevice(of(device).number);
}
void bind(chl_device *device) {
    (void)choose(device); // a failure shows at the launch
    chl::gpu = of(device).traits;
}

chl_status allocate(chl_device *device, size_t bytes, void **out) {
    *out = nullptr;
    cudaError_t error = choose(device);
    if (error == cudaSuccess) error = cudaMalloc(out, bytes ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); // it would be reported by the next launch
        (void)said(error);
        return CHL_ERR_MEMORY;
    }
    return said(error);
}

void release(chl_device *device, void *memory) {
    if (!memory) return;
    (void)choose(device);
    (void)cudaStreamSynchronize(stream_of(device->queue));
    (void)cudaFree(memory);
}

// Uploads are ordered behind the work that is queued; the caller's memory is free to change when
// they return, which pageable memory guarantees.
chl_status upload(chl_device *device, void *to, const void *host, size_t bytes) {
    cudaError_t error = choose(device);
    if (error == cudaSuccess)
        error = cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream_of(device->queue));
    return said(error);
}
chl_status download(chl_device *device, void *host, const void *from, size_t bytes) {
    cudaError_t error = choose(device);
    if (error == cudaSuccess)
        error =
            cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream_of(device->queue));
    if (error == cudaSuccess) error = cudaStreamSynchronize(stream_of(device->queue));
    return said(error);
}
chl_status clear(chl_device *device, void *memory, size_t bytes) {
    cudaError_t error = choose(device);
    if (error == cudaSuccess) error = cudaMemsetAsync(memory, 0, bytes, stream_of(device->queue));
    return said(error);
}

const char *last_error(chl_device *) {
    return chl::last_error ? cudaGetErrorString(cudaError_t(chl::last_error)) : nullptr;
}

chl_status begin_capture(chl_device *device) {
    cudaError_t error = choose(device);
    if (error == cudaSuccess)
        error = cudaStreamBeginCapture(stream_of(device->queue), cudaStreamCaptureModeThreadLocal);
    return said(error);
}
chl_status end_capture(chl_device *device, chl_recording **out) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t ready = nullptr;
    chl_status status = said(cudaStreamEndCapture(stream_of(device->queue), &graph));
    if (status == CHL_OK) status = said(cudaGraphInstantiate(&ready, graph, 0));
    if (graph) (void)cudaGraphDestroy(graph);
    *out = reinterpret_cast<chl_recording *>(ready);
    return status;
}
chl_status replay(chl_device *device, chl_recording *recording) {
    cudaError_t error = choose(device);
    if (error == cudaSuccess)
        error =
            cudaGraphLaunch(reinterpret_cast<cudaGraphExec_t>(recording), stream_of(device->queue));
    return said(error);
}
void destroy_capture(chl_device *device, chl_recording *recording) {
    (void)choose(device);
    (void)cudaStreamSynchronize(stream_of(device->queue));
    (void)cudaGraphExecDestroy(reinterpret_cast<cudaGraphExec_t>(recording));
}

void close_device(chl_device *device) {
    (void)choose(device);
    (void)cudaStreamSynchronize(stream_of(device->queue));
    (void)cudaStreamDestroy(stream_of(device->queue));
    delete &of(device);
}

const chl_backend *table() {
    static const chl_backend backend = [] {
        chl_backend b = {};
        b.version = CHL_BACKEND_VERSION;
        b.name = "cuda";
        b.alignment = ALIGNMENT;
        b.bf16 = true;
        b.body = chl_cuda_body;
        b.fused = chl_cuda_fused;
        b.bind = bind;
        b.close = close_device;
        b.last_error = last_error;
        b.allocate = allocate;
        b.release = release;
        b.upload = upload;
        b.download = download;
        b.clear = clear;
        b.begin_capture = begin_capture;
        b.end_capture = end_capture;
        b.replay = replay;
        b.destroy_capture = destroy_capture;
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
// of large ones.
chl::gpu_traits traits_of(const cudaDeviceProp &properties) {
    chl::gpu_traits gpu;
    gpu.shared = properties.sharedMemPerBlockOptin;
    if (const char *fill = std::getenv("CHLADNI_CUDA_FILL")) gpu.fill = std::atoi(fill);
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
    std::snprintf(o->name, sizeof o->name, "cuda:%d (%.64s)", number, properties.name);
    o->device = {table(), o->name, reinterpret_cast<chl_queue *>(stream), o};
    return &o->device;
}
