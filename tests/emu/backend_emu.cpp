#include "backend_emu.h"
#include "cuda/lib/body.h"
#include <cstdio>
#include <cstdlib>

extern "C" const chl_body *chl_cuda_body(chl_op op);
extern "C" const chl_fused_body *chl_cuda_fused(chl_fusion fusion);

static chl_status allocate(size_t bytes, void **out) {
    *out = std::aligned_alloc(256, (bytes + 255) & ~size_t{255}); // as cudaMalloc aligns
    return *out ? CHL_OK : CHL_ERR_MEMORY;
}
static chl_status copy(void *to, const void *from, size_t bytes) {
    std::memcpy(to, from, bytes);
    return CHL_OK;
}
static chl_status clear(void *memory, size_t bytes) {
    std::memset(memory, 0, bytes);
    return CHL_OK;
}
static const char *last_error() {
    static thread_local char text[64];
    if (chl::last_error == 0) return nullptr;
    std::snprintf(text, sizeof text, "the launch was refused with error %d", chl::last_error);
    return text;
}

// A Hopper that few tiles fill, so that small shapes take its path too; the other tensor-core tiles
// are dealt as on a whole chip. EMU_FILL="A B" says otherwise (gpu_traits; B is 0: not a Hopper),
// EMU_SHARED=N what shared memory a block may have.
static void choose_gpu() {
    chl::gpu.hopper_fill = 2;
    if (const char *said = std::getenv("EMU_SHARED")) chl::gpu.shared = size_t(std::atol(said));
    if (const char *said = std::getenv("EMU_FILL"))
        if (std::sscanf(said, "%d %d", &chl::gpu.fill, &chl::gpu.hopper_fill) != 2) std::abort();
}

const chl_backend *chl_backend_emu(void) {
    static const chl_backend backend = [] {
        choose_gpu();
        chl_backend b = {};
        b.version = CHL_BACKEND_VERSION;
        b.name = "emu";
        b.bf16 = true;
        b.body = chl_cuda_body;
        b.fused = chl_cuda_fused;
        b.allocate = allocate;
        b.release = std::free;
        b.upload = copy;
        b.download = copy;
        b.clear = clear;
        b.last_error = last_error;
        return b;
    }();
    return &backend;
}

void chl_emu_rehearse(int sm) {
    chl_backend_emu(); // which says what GPU it is when it is first asked for
    simt::emu::settings().rehearse = sm;
    chl::gpu = {};
    chl::gpu.shared = simt::emu::block_shared(sm);
    if (sm == 90) chl::gpu.hopper_fill = chl::gpu.fill;
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
