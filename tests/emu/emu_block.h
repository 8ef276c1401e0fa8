// The machine that plays a GPU: a block is one OS thread, a CUDA thread is a fiber of it.
// Fibers change over only where CUDA threads may wait for one another, so a kernel's plain
// instructions run at full speed and under any sanitizer. State and scheduling live in
// simt_emu.cpp, which is compiled without ThreadSanitizer: the machine is no part of the program
// under test.
#pragma once
#include "emu_types.h"
#include <functional>
#include <tuple>
#include <type_traits>

// The machine's own files are compiled without -fsanitize=thread and with -DEMU_TSAN=1.
#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#endif
#if defined(EMU_TSAN)
#elif defined(__SANITIZE_THREAD__)
#define EMU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EMU_TSAN 1
#endif
#endif

namespace simt {
// What <<<>>> says, and `sm`: the architecture whose limits must hold (86 has less shared memory
// than 80) and whose instructions may be used. A GPU checks with its own limits and ignores `sm`.
struct shape {
    dim3 grid, block;
    size_t dynamic_shared = 0;
    int sm = 80;
};
// first parameter of every kernel here, so that launch() sees its launch bounds
template <int THREADS, int BLOCKS = 1> struct bounded {};

namespace emu {
enum class Order { forward, reverse, random };
struct Settings {
    Order order = Order::forward; // in which ready threads run
    uint64_t seed = 1;
    bool early = false;   // asynchronous copies land at once, not at their wait
    unsigned workers = 0; // OS threads that share the blocks; 0: as many as there are processors
    int rehearse = 0;     // launches are only checked, against this GPU's limits; 0: they run
    size_t shared = SIZE_MAX; // bytes that a block may have, where the GPU has more
};
// starts from EMU_ORDER=forward|reverse|random:SEED, EMU_LAND=early|late, EMU_WORKERS=N,
// EMU_SHARED=N
Settings &settings();

size_t block_shared(int sm); // bytes a block may have on that GPU

struct Fiber;
// what kernels ask often; one per OS thread while it runs a block
struct Context {
    uint3 thread, block;
    dim3 block_size, grid_size;
    unsigned lane;
    int sm;
    unsigned char *dynamic;
};
extern __thread Context *context; // __thread, not thread_local: no wrapper call at each access

struct Where { // a place in a kernel, for messages
    const char *file;
    int line;
};
// clang-format off
#define EMU_HERE                                                                                   \
    ::simt::emu::Where here = { __builtin_FILE(), __builtin_LINE() }
// clang-format on

[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void need_sm(int sm, const char *what);

// --- waiting -------------------------------------------------------------------------------------
void syncthreads(Where here);
void barrier(int id, int threads, bool wait, Where here);
void yield(Where here); // a failed poll: others run; dies when nothing in the block can progress

// All lanes of `mask` meet; the last to come runs `work` over their arguments. Only a fence orders
// memory: a shuffle, a vote or a product does not, and ThreadSanitizer must not believe it does.
using Work = void (*)(void **argument, uint32_t mask);
void collective(uint32_t mask, void *argument, const char *what, bool fence, Work work, Where here);
// The same for the four warps of an aligned warpgroup; argument[i] belongs to its i-th thread.
using GroupWork = void (*)(void **argument);
void warpgroup_collective(void *argument, const char *what, GroupWork work, Where here);
uint32_t active_lanes();

// --- shared memory -------------------------------------------------------------------------------
// One variable per `key` (the address of a static of the function that declares it: its own for
// every template instance). Holds NaN until written; red zones around it.
void *shared_variable(const void *key, size_t size, size_t align, const char *name);
uint32_t shared_address(const void *p, const char *what); // its place in the block's shared memory
void *shared_pointer(uint32_t address);

// --- what ThreadSanitizer is told ----------------------------------------------------------------
void note_read(const void *p, size_t n);
void note_write(void *p, size_t n);
void fence();

// --- launch --------------------------------------------------------------------------------------
// verify: a cudaError_t where this GPU would refuse the launch; run: all its blocks, now
int verify(const shape &s, int bound, int blocks);
int run(void (*body)(void *), void *argument, const shape &s, int bound, int blocks);
int64_t launches(); // how many have run, replayed ones included

// What a queue does with work (backend_emu.cpp: now, later, or into a recording); null: all is done
// at once. Returns a cudaError_t, of work that is done later 0.
extern int (*enqueue)(void *stream, std::function<int()> work);
template <class F> int queued(void *stream, const F &work) {
    return enqueue ? enqueue(stream, work) : work();
}
} // namespace emu

// The two bodies of launch() take the same arguments; the result is a cudaError_t, 0 for success.
template <int THREADS, int BLOCKS, class... P, class... A>
int launch(void (*kernel)(bounded<THREADS, BLOCKS>, P...), const shape &s, void *stream, A &&...a) {
    static_assert(sizeof...(P) == sizeof...(A), "the kernel takes another number of arguments");
    struct Call {
        void (*kernel)(bounded<THREADS, BLOCKS>, P...);
        std::tuple<std::remove_cv_t<P>...> arguments;
    };
    const Call call{kernel, {static_cast<P>(a)...}};
    const int error = emu::verify(s, THREADS, BLOCKS);
    if (error || emu::settings().rehearse) return error;
    return emu::queued(stream, [call, s] {
        return emu::run(
            [](void *v) {
                const Call *c = static_cast<const Call *>(v);
                std::apply([c](const auto &...p) { c->kernel({}, p...); }, c->arguments);
            },
            const_cast<Call *>(&call), s, THREADS, BLOCKS);
    });
}
} // namespace simt

#define threadIdx (::simt::emu::context->thread)
#define blockIdx (::simt::emu::context->block)
#define blockDim (::simt::emu::context->block_size)
#define gridDim (::simt::emu::context->grid_size)
#define warpSize 32

#define SIMT_LIST(...) __VA_ARGS__
#define SIMT_KERNEL(bounds, name, ...)                                                             \
    static void name(::simt::bounded<SIMT_LIST bounds>, ##__VA_ARGS__)
#define SIMT_DEVICE static inline
#define SIMT_SHARED(name, ...)                                                                     \
    static char name##_key;                                                                        \
    auto &name =                                                                                   \
        *static_cast<std::remove_reference_t<__VA_ARGS__> *>(::simt::emu::shared_variable(         \
            &name##_key, sizeof(__VA_ARGS__), alignof(__VA_ARGS__), #name))
#define SIMT_DYNAMIC_SHARED(type, name)                                                            \
    type *name = reinterpret_cast<type *>(::simt::emu::context->dynamic)
