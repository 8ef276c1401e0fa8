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
cudaStream_t stream;
chl_backend backend;
char device_name[96];

chl_status said(cudaError_t error) {
    return chl::status(int(error)) == CHL_KERNEL_OK ? CHL_OK : CHL_ERR_INTERNAL;
}

chl_status allocate(size_t bytes, void **out) {
    *out = nullptr;
    const cudaError_t error = cudaMalloc(out, bytes ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); // it would be reported by the next launch
        return CHL_ERR_MEMORY;
    }
    return said(error);
}

void release(void *memory) {
    (void)cudaStreamSynchronize(stream);
    (void)cudaFree(memory);
}

// Uploads are ordered behind the work that is queued; the caller's memory is free to change when
// they return, which pageable memory guarantees.
chl_status upload(void *device, const void *host, size_t bytes) {
    return said(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream));
}
chl_status download(void *host, const void *device, size_t bytes) {
    const chl_status status =
        said(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream));
    return status != CHL_OK ? status : said(cudaStreamSynchronize(stream));
}
chl_status clear(void *device, size_t bytes) {
    return said(cudaMemsetAsync(device, 0, bytes, stream));
}

const char *last_error() {
    return chl::last_error ? cudaGetErrorString(cudaError_t(chl::last_error)) : nullptr;
}

chl_status begin_capture() {
    return said(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}
chl_status end_capture(void **recording) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t ready = nullptr;
    chl_status status = said(cudaStreamEndCapture(stream, &graph));
    if (status == CHL_OK) status = said(cudaGraphInstantiate(&ready, graph, 0));
    if (graph) (void)cudaGraphDestroy(graph);
    *recording = ready;
    return status;
}
chl_status replay(void *recording) {
    return said(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), stream));
}
void destroy_capture(void *recording) {
    (void)cudaStreamSynchronize(stream);
    (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording));
}

bool refuse(char *text, size_t size, cudaError_t error, int device, int count) {
    if (error == cudaErrorInsufficientDriver || error == cudaErrorNoDevice)
        std::snprintf(text, size,
                      "no CUDA backend: %s: install the NVIDIA driver, or use --device cpu",
                      cudaGetErrorString(error));
    else if (error != cudaSuccess)
        std::snprintf(text, size, "no CUDA backend: %s", cudaGetErrorString(error));
    else if (count == 0)
        std::snprintf(text, size, "no CUDA backend: no GPU is visible: use --device cpu");
    else if (device >= count)
        std::snprintf(text, size, "cuda:%d: this machine has %d (cuda:0 to cuda:%d)", device, count,
                      count - 1);
    else
        return false;
    return true;
}

// CHLADNI_CUDA_FILL, for tests: as on a chip that so few blocks fill, small shapes take the paths
// of large ones.
void choose_paths(const cudaDeviceProp &properties) {
    chl::gpu = {};
    chl::gpu.shared = properties.sharedMemPerBlockOptin;
    if (const char *fill = std::getenv("CHLADNI_CUDA_FILL")) chl::gpu.fill = std::atoi(fill);
#ifdef CHLADNI_SM_90A
    if (properties.major == 9) chl::gpu.hopper_fill = chl::gpu.fill;
#endif
}

bool too_old(char *text, size_t size, const cudaDeviceProp &properties) {
    if (properties.major >= 8) return false;
    std::snprintf(text, size, "%s is of compute capability %d.%d: 8.0 is the least",
                  properties.name, properties.major, properties.minor);
    return true;
}
} // namespace

extern "C" __attribute__((visibility("default"))) const chl_backend *
chl_cuda_open(uint32_t version, int device, char *text, size_t size) {
    if (version != CHL_BACKEND_VERSION) {
        std::snprintf(text, size,
                      "libchladni_cuda.so speaks version %d, the program %u: rebuild it",
                      CHL_BACKEND_VERSION, version);
        return nullptr;
    }
    int count = 0; // untouched where there is no driver
    const cudaError_t counted = cudaGetDeviceCount(&count);
    if (refuse(text, size, counted, device, count)) return nullptr;
    cudaDeviceProp properties;
    cudaError_t error = cudaGetDeviceProperties(&properties, device);
    if (error == cudaSuccess && too_old(text, size, properties)) return nullptr;
    if (error == cudaSuccess) error = cudaSetDevice(device);
    if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (error != cudaSuccess) {
        std::snprintf(text, size, "cuda:%d: %s", device, cudaGetErrorString(error));
        return nullptr;
    }
    choose_paths(properties);
    std::snprintf(device_name, sizeof device_name, "cuda:%d (%.64s)", device, properties.name);
    backend = {};
    backend.version = CHL_BACKEND_VERSION;
    backend.name = device_name;
    backend.bf16 = true;
    backend.stream = stream;
    backend.body = chl_cuda_body;
    backend.fused = chl_cuda_fused;
    backend.allocate = allocate;
    backend.release = release;
    backend.upload = upload;
    backend.download = download;
    backend.clear = clear;
    backend.last_error = last_error;
    backend.begin_capture = begin_capture;
    backend.end_capture = end_capture;
    backend.replay = replay;
    backend.destroy_capture = destroy_capture;
    return &backend;
}
