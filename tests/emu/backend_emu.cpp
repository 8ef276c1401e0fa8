#include "backend_emu.h"
#include "cuda/lib/body.h"
#include <cstdio>
#include <cstdlib>

extern "C" const chl_body *chl_cuda_body(chl_op op);
extern "C" const chl_fused_body *chl_cuda_fused(chl_fusion fusion);

constexpr size_t ALIGNMENT = 256; // as cudaMalloc aligns

static chl_status allocate(chl_device *, size_t bytes, void **out) {
    *out = std::aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1));
    return *out ? CHL_OK : CHL_ERR_MEMORY;
}
static void release(chl_device *, void *memory) {
    std::free(memory);
}
static chl_status copy(chl_device *, void *to, const void *from, size_t bytes) {
    std::memcpy(to, from, bytes);
    return CHL_OK;
}
static chl_status clear(chl_device *, void *memory, size_t bytes) {
    std::memset(memory, 0, bytes);
    return CHL_OK;
}
static const char *last_error(chl_device *) {
    static thread_local char text[64];
    if (chl::last_error == 0) return nullptr;
    std::snprintf(text, sizeof text, "the launch was refused with error %d", chl::last_error);
    return text;
}
static void close_device(chl_device *) {}

// A Hopper that few tiles fill, so that small shapes take its path too; the other tensor-core tiles
// are dealt as on a whole chip. EMU_FILL="A B" says otherwise (gpu_traits; B is 0: not a Hopper),
// EMU_SHARED=N what shared memory a block may have.
static chl::gpu_traits choose_gpu() {
    chl::gpu_traits gpu;
    gpu.hopper_fill = 2;
    if (const char *said = std::getenv("EMU_SHARED")) gpu.shared = size_t(std::atol(said));
    if (const char *said = std::getenv("EMU_FILL"))
        if (std::sscanf(said, "%d %d", &gpu.fill, &gpu.hopper_fill) != 2) std::abort();
    return gpu;
}
static chl::gpu_traits &emulated() {
    static chl::gpu_traits gpu = choose_gpu();
    return gpu;
}
static void bind(chl_device *) {
    chl::gpu = emulated();
}

chl_device *chl_device_emu(void) {
    static const chl_backend backend = [] {
        chl_backend b = {};
        b.version = CHL_BACKEND_VERSION;
        b.name = "emu";
        b.alignment = ALIGNMENT;
        b.bf16 = true;
        b.body = chl_cuda_body;
        b.fused = chl_cuda_fused;
        b.bind = bind;
        b.close = close_device;
        b.last_error = last_error;
        b.allocate = allocate;
        b.release = release;
        b.upload = copy;
        b.download = copy;
        b.clear = clear;
        return b;
    }();
    static chl_device device = {&backend, "emu", nullptr, nullptr};
    return &device;
}

void chl_emu_rehearse(int sm) {
    simt::emu::settings().rehearse = sm;
    emulated() = {};
    emulated().shared = simt::emu::block_shared(sm);
    if (sm == 90) emulated().hopper_fill = emulated().fill;
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
