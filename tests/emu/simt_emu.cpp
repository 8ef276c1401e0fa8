// Fibers and launches. Compiled without ThreadSanitizer's instrumentation (see emu_block.h); what
// it must know is said through release(), acquire(), note_read() and note_write().
#include "emu_machine.h"
#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <pthread.h>
#include <sys/mman.h>
#include <thread>

#ifdef EMU_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __x86_64__
#include <xmmintrin.h>
#else
#include <ucontext.h>
#endif

namespace simt::emu {
__thread Context *context;
__thread Block *running;

namespace {
#if defined(EMU_ASAN) || defined(EMU_TSAN)
constexpr size_t STACK = size_t{512} << 10; // instrumented frames are larger
#else
constexpr size_t STACK = size_t{128} << 10;
#endif
constexpr size_t PAGE = 4096;

Settings from_environment() {
    Settings s;
    if (const char *order = std::getenv("EMU_ORDER")) {
        if (!std::strcmp(order, "reverse")) s.order = Order::reverse;
        if (!std::strncmp(order, "random", 6)) {
            s.order = Order::random;
            if (order[6] == ':') s.seed = std::strtoull(order + 7, nullptr, 10);
        }
    }
    if (const char *land = std::getenv("EMU_LAND")) s.early = !std::strcmp(land, "early");
    if (const char *workers = std::getenv("EMU_WORKERS"))
        s.workers = static_cast<unsigned>(std::strtoul(workers, nullptr, 10));
    if (const char *shared = std::getenv("EMU_SHARED"))
        s.shared = std::strtoull(shared, nullptr, 10);
    return s;
}

constexpr size_t KB = 1024;
// CUDA C++ Programming Guide, "Technical Specifications per Compute Capability": shared memory a
// block may have, a multiprocessor has (1 KB of it is taken for each block), threads it holds
constexpr Limits LIMITS[] = {
    {75, 64 * KB, 64 * KB, 1024},    {80, 163 * KB, 164 * KB, 2048}, {86, 99 * KB, 100 * KB, 1536},
    {87, 163 * KB, 164 * KB, 1536},  {89, 99 * KB, 100 * KB, 1536},  {90, 227 * KB, 228 * KB, 2048},
    {100, 227 * KB, 228 * KB, 2048}, {120, 99 * KB, 100 * KB, 1536},
};
constexpr size_t STATIC_LIMIT = 48 * KB;
} // namespace

Settings &settings() {
    static Settings s = from_environment();
    return s;
}
const Limits *limits_of(int sm) {
    for (const Limits &l : LIMITS)
        if (l.sm == sm) return &l;
    return nullptr;
}

size_t block_shared(int sm) {
    return std::min(limits_of(sm)->block_shared, settings().shared);
}

void die(const char *format, ...) {
    Block &b = *running;
    std::fprintf(stderr, "simt: ");
    va_list list;
    va_start(list, format);
    std::vfprintf(stderr, format, list);
    va_end(list);
    std::fprintf(stderr, "\n  in block (%u,%u,%u)", b.context.block.x, b.context.block.y,
                 b.context.block.z);
    if (b.current != &b.main) std::fprintf(stderr, ", running: thread %u", b.current->index);
    std::fprintf(stderr, "\n");
    unsigned shown = 0;
    for (unsigned i = 0; i < b.count && shown < 8; i++) {
        const Fiber &f = b.fibers[i];
        if (!f.waits_in) continue;
        shown++;
        std::fprintf(stderr, "  thread %u (%u,%u,%u) waits in %s at %s:%d\n", i, f.thread.x,
                     f.thread.y, f.thread.z, f.waits_in, f.where.file, f.where.line);
    }
    std::abort();
}
void need_sm(int sm, const char *what) {
    if (context->sm < sm) die("%s needs sm_%d; the launch is for sm_%d", what, sm, context->sm);
}

#ifdef EMU_TSAN
extern "C" void __tsan_read_range(void *, unsigned long);
extern "C" void __tsan_write_range(void *, unsigned long);
void release(void *point) {
    __tsan_release(point);
}
void acquire(void *point) {
    __tsan_acquire(point);
}
void note_read(const void *p, size_t n) {
    __tsan_read_range(const_cast<void *>(p), n);
}
void note_write(void *p, size_t n) {
    __tsan_write_range(p, n);
}
#else
void release(void *) {}
void acquire(void *) {}
void note_read(const void *, size_t) {}
void note_write(void *, size_t) {}
#endif

void fence() {
    static char point;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    acquire(&point);
    release(&point);
}

// --- changing over -------------------------------------------------------------------------------
#ifdef __x86_64__
extern "C" void simt_emu_swap(void **save, void *load);
__asm__(".text\n.globl simt_emu_swap\n.type simt_emu_swap,@function\nsimt_emu_swap:\n"
        ".cfi_startproc\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
        ".cfi_endproc\n.size simt_emu_swap,.-simt_emu_swap\n");
#endif

static void switch_to(Block &b, Fiber &to) {
    Fiber &from = *b.current;
    b.current = &to;
    b.context.thread = to.thread;
    b.context.lane = to.index % WARP;
#ifdef EMU_ASAN
    const size_t size = &to == &b.main ? b.main.index : STACK;
    __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, size);
#endif
#ifdef EMU_TSAN
    __tsan_switch_to_fiber(to.tsan, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef __x86_64__
    simt_emu_swap(&from.sp, to.sp);
#else
    swapcontext(static_cast<ucontext_t *>(from.sp), static_cast<ucontext_t *>(to.sp));
#endif
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

static int ready_from(const Block &b, unsigned from) {
    for (unsigned k = 0; k <= WORDS; k++) {
        const unsigned w = (from / 64 + k) % WORDS;
        const uint64_t later = k == 0 ? ~uint64_t{0} << (from % 64) : ~uint64_t{0};
        if (const uint64_t m = b.ready.word[w] & later)
            return static_cast<int>(w * 64 + static_cast<unsigned>(__builtin_ctzll(m)));
    }
    return -1;
}
static int ready_down_from(const Block &b, unsigned from) {
    for (unsigned k = 0; k <= WORDS; k++) {
        const unsigned w = (from / 64 + WORDS - k) % WORDS;
        const uint64_t earlier = k == 0 ? ~uint64_t{0} >> (63 - from % 64) : ~uint64_t{0};
        if (const uint64_t m = b.ready.word[w] & earlier)
            return static_cast<int>(w * 64 + 63 - static_cast<unsigned>(__builtin_clzll(m)));
    }
    return -1;
}
static int next_thread(Block &b, int after) {
    switch (settings().order) {
    case Order::reverse:
        return ready_down_from(b, static_cast<unsigned>(after + static_cast<int>(MAX_THREADS) - 1) %
                                      MAX_THREADS);
    case Order::random:
        b.random ^= b.random << 13; // xorshift64 (Marsaglia 2003)
        b.random ^= b.random >> 7;
        b.random ^= b.random << 17;
        return ready_from(b, static_cast<unsigned>(b.random % b.count));
    default:
        return ready_from(b, static_cast<unsigned>(after + 1) % MAX_THREADS);
    }
}
static void change_over(Block &b) {
    const int next = next_thread(b, static_cast<int>(b.current->index));
    if (next < 0) die("deadlock: every thread waits");
    Fiber &to = b.fibers[static_cast<size_t>(next)];
    if (&to != b.current) switch_to(b, to);
}

void set_ready(Block &b, unsigned thread) {
    b.ready.add(thread);
    b.fibers[thread].waits_in = nullptr;
    b.idle = 0;
}
void set_ready(Block &b, Threads &threads) {
    for (unsigned w = 0; w < WORDS; w++)
        for (; threads.word[w]; threads.word[w] &= threads.word[w] - 1)
            set_ready(b, w * 64 + static_cast<unsigned>(__builtin_ctzll(threads.word[w])));
}
void wait_here(Block &b, const char *what, Where here) {
    Fiber &f = *b.current;
    f.waits_in = what;
    f.where = here;
    b.ready.remove(f.index);
    change_over(b);
}
void yield(Where here) {
    Block &b = *running;
    // with nothing moving, a few rounds of all threads polling prove that nothing will
    if (++b.idle > uint64_t{64} * b.count)
        die("deadlock: threads poll at %s:%d for what no thread will do", here.file, here.line);
    change_over(b);
}

// --- a thread's life -----------------------------------------------------------------------------
static void fiber_main() {
    Block &b = *running;
    Fiber &f = *b.current;
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
    for (;;) { // once per block; parked in between
        acquire(&b.start);
        b.body(b.argument);
        check_nothing_in_flight(f);
        release(&b.end);
        b.ready.remove(f.index);
        b.alive--;
        b.idle = 0;
        leave_meetings(b, f);
        if (b.alive)
            change_over(b);
        else
            switch_to(b, b.main);
    }
}

static void prepare(Fiber &f) {
#ifdef EMU_TSAN
    f.tsan = __tsan_create_fiber(0);
#endif
#ifdef __x86_64__
    // the tops are staggered: at equal offsets the hot frames of all threads would fall into one
    // cache set (1.6 times slower)
    void **sp = reinterpret_cast<void **>(f.stack + STACK - f.index * 5 % 251 * 64) - 1;
    *sp = nullptr; // fiber_main never returns; this keeps the ABI's stack alignment
    *--sp = reinterpret_cast<void *>(fiber_main);
    for (int saved = 0; saved < 6; saved++) *--sp = nullptr;
    f.sp = sp;
#else
    ucontext_t *u = new ucontext_t;
    getcontext(u);
    u->uc_stack.ss_sp = f.stack;
    u->uc_stack.ss_size = STACK;
    u->uc_link = nullptr;
    makecontext(u, fiber_main, 0);
    f.sp = u;
#endif
}

static unsigned char *map(size_t size) {
    void *m = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m == MAP_FAILED) {
        std::perror("simt: no address space for fibers");
        std::abort();
    }
    return static_cast<unsigned char *>(m);
}

Block::Block() : fibers(MAX_THREADS), arena(map(ARENA)) {
    unsigned char *stacks = map(STACK * MAX_THREADS);
    for (unsigned i = 0; i < MAX_THREADS; i++) {
        fibers[i].index = i;
        fibers[i].stack = stacks + i * STACK;
        if (mprotect(fibers[i].stack, PAGE, PROT_NONE)) std::abort(); // guards against overflow
    }
    arena_used = ARENA;
#ifndef __x86_64__
    main.sp = new ucontext_t;
#endif
}
Block::~Block() {
    munmap(fibers[0].stack, STACK * MAX_THREADS);
#ifdef EMU_ASAN
    __asan_unpoison_memory_region(arena, ARENA);
#endif
    munmap(arena, ARENA);
#ifndef __x86_64__
    for (Fiber &f : fibers) delete static_cast<ucontext_t *>(f.sp);
    delete static_cast<ucontext_t *>(main.sp);
#endif
}

// The OS thread that runs the block is its "main" fiber.
static void adopt_this_thread(Block &b) {
    running = &b;
    context = &b.context;
#ifdef EMU_TSAN
    b.main.tsan = __tsan_get_current_fiber();
    if (!b.engine) b.engine = __tsan_create_fiber(0);
#endif
#ifdef EMU_ASAN
    pthread_attr_t attributes;
    void *stack;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &size);
    pthread_attr_destroy(&attributes);
    b.main.stack = static_cast<unsigned char *>(stack);
    b.main.index = static_cast<unsigned>(size);
#endif
    b.random = settings().seed * 0x9E3779B97F4A7C15u | 1;
}

static void run_block(Block &b, const shape &s, uint64_t index) {
    const dim3 g = s.grid, t = s.block;
    b.count = b.alive = t.x * t.y * t.z;
    b.idle = 0;
    b.context.block = {static_cast<unsigned>(index % g.x), static_cast<unsigned>(index / g.x % g.y),
                       static_cast<unsigned>(index / (uint64_t{g.x} * g.y))};
    b.context.block_size = t;
    b.context.grid_size = g;
    b.context.sm = s.sm;
    reset_shared(b, s.dynamic_shared);
    reset_meetings(b);
    b.ready.clear();
    for (unsigned i = 0; i < b.count; i++) {
        Fiber &f = b.fibers[i];
        f.thread = {i % t.x, i / t.x % t.y, i / (t.x * t.y)};
        if (!f.sp) prepare(f);
        b.ready.add(i);
    }
    b.current = &b.main;
    release(&b.start);
    const int first = settings().order == Order::reverse ? static_cast<int>(b.count) : -1;
    switch_to(b, b.fibers[static_cast<size_t>(next_thread(b, first))]);
    acquire(&b.end);
}

// --- launch --------------------------------------------------------------------------------------
namespace {
class Pool { // blocks keep their stacks from launch to launch
  public:
    std::unique_ptr<Block> take() {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (free_.empty()) return std::make_unique<Block>();
        std::unique_ptr<Block> b = std::move(free_.back());
        free_.pop_back();
        return b;
    }
    void put(std::unique_ptr<Block> b) {
        const std::lock_guard<std::mutex> guard(mutex_);
        free_.push_back(std::move(b));
    }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Block>> free_;
};
Pool pool;

constexpr int INVALID_VALUE = 1, INVALID_CONFIGURATION = 9, OUT_OF_RESOURCES = 701; // cudaError_t

__attribute__((format(printf, 2, 3))) int refuse(int code, const char *format, ...) {
    std::fprintf(stderr, "simt: launch refused: ");
    va_list list;
    va_start(list, format);
    std::vfprintf(stderr, format, list);
    va_end(list);
    std::fprintf(stderr, "\n");
    return code;
}

int check(const shape &s, unsigned bound, unsigned blocks) {
    const Limits *l = limits_of(s.sm);
    const uint64_t threads = uint64_t{s.block.x} * s.block.y * s.block.z;
    if (!l) return refuse(INVALID_VALUE, "no limits known for sm_%d", s.sm);
    if (!threads || threads > MAX_THREADS || s.block.z > 64)
        return refuse(INVALID_CONFIGURATION, "a block of %u x %u x %u threads", s.block.x,
                      s.block.y, s.block.z);
    if (!s.grid.x || s.grid.x > 0x7fffffffu || !s.grid.y || s.grid.y > 65535 || !s.grid.z ||
        s.grid.z > 65535)
        return refuse(INVALID_CONFIGURATION, "a grid of %u x %u x %u blocks", s.grid.x, s.grid.y,
                      s.grid.z);
    if (threads > bound)
        return refuse(OUT_OF_RESOURCES, "%llu threads, and the kernel is bounded to %u",
                      static_cast<unsigned long long>(threads), bound);
    if (s.dynamic_shared > block_shared(s.sm))
        return refuse(INVALID_VALUE, "%zu bytes of shared memory; a block on sm_%d has at most %zu",
                      s.dynamic_shared, s.sm, block_shared(s.sm));
    /* Bounds are chosen for multiprocessors with as much shared memory as sm_80's. On one with less
     * fewer blocks run at a time: slower, not wrong. */
    const size_t shared = std::max(l->sm_shared, limits_of(80)->sm_shared);
    if (blocks * bound > l->sm_threads || blocks * (s.dynamic_shared + KB) > shared)
        return refuse(
            OUT_OF_RESOURCES,
            "the launch bounds promise %u blocks of %u threads on a multiprocessor; with %zu "
            "bytes of shared memory each, sm_%d has no room for them",
            blocks, bound, s.dynamic_shared, s.sm);
    return 0;
}
unsigned worker_count() {
    if (settings().workers) return settings().workers;
#ifdef EMU_TSAN
    return 3; // blocks of one worker are ordered: a race between blocks shows between two workers
#else
    return std::min(std::max(std::thread::hardware_concurrency(), 1u), 16u);
#endif
}
} // namespace

int (*enqueue)(void *stream, std::function<int()> work);

int verify(const shape &s, int bound, int blocks) {
    shape on = s;
    if (settings().rehearse) on.sm = settings().rehearse;
    return check(on, static_cast<unsigned>(bound), static_cast<unsigned>(blocks));
}

namespace {
std::atomic<int64_t> launched{0};

// Denormal numbers are zero in a kernel, as nvcc's -ftz=true makes them on a GPU; a fiber keeps the
// mode of the OS thread that runs it.
class FlushToZero {
  public:
    FlushToZero(const FlushToZero &) = delete;
    FlushToZero &operator=(const FlushToZero &) = delete;
#ifdef __x86_64__
    FlushToZero() : before_(_mm_getcsr()) {
        _mm_setcsr(before_ | 0x8040);
    } // FTZ, DAZ
    ~FlushToZero() {
        _mm_setcsr(before_);
    }

  private:
    unsigned before_;
#elif defined __aarch64__
    FlushToZero() {
        asm volatile("mrs %0, fpcr" : "=r"(before_));
        asm volatile("msr fpcr, %0" ::"r"(before_ | uint64_t{1} << 24));
    }
    ~FlushToZero() {
        asm volatile("msr fpcr, %0" ::"r"(before_));
    }

  private:
    uint64_t before_;
#else
    FlushToZero() {}
#endif
};
} // namespace
int64_t launches() {
    return launched;
}

int run(void (*body)(void *), void *argument, const shape &s, int bound, int blocks) {
    if (const int error = verify(s, bound, blocks)) return error;
    launched++;
    const uint64_t count = uint64_t{s.grid.x} * s.grid.y * s.grid.z;
    const uint64_t workers = std::min<uint64_t>(worker_count(), count);
    // Taken and put back here, not by the workers: one that starts after another has ended would
    // take its fibers and the mutex's order with them, and a race between the two would not show.
    std::vector<std::unique_ptr<Block>> taken;
    for (uint64_t w = 0; w < workers; w++) taken.push_back(pool.take());
    const auto work = [&](uint64_t worker) {
        const FlushToZero mode;
        Block &b = *taken[worker];
        adopt_this_thread(b);
        b.body = body;
        b.argument = argument;
        for (uint64_t i = worker; i < count; i += workers)
            run_block(b, s, settings().order == Order::reverse ? count - 1 - i : i);
        running = nullptr;
        context = nullptr;
    };
    std::vector<std::thread> others;
    for (uint64_t w = 1; w < workers; w++) others.emplace_back(work, w);
    work(0);
    for (std::thread &t : others) t.join();
    for (std::unique_ptr<Block> &b : taken) pool.put(std::move(b));
    return 0;
}

// --- shared memory -------------------------------------------------------------------------------
static void set_poison(void *p, size_t n, bool poison) {
#ifdef EMU_ASAN
    if (poison)
        __asan_poison_memory_region(p, n);
    else
        __asan_unpoison_memory_region(p, n);
#else
    (void)p, (void)n, (void)poison;
#endif
}
constexpr size_t RED_ZONE = 128;

void reset_shared(Block &b, size_t dynamic) {
    set_poison(b.arena, ARENA, false);
    std::memset(b.arena, 0xff, b.arena_used); // NaN in every float format
    b.variables.clear();
    b.static_counted = 0;
    b.shared_counted = dynamic;
    b.context.dynamic = b.arena;
    b.arena_used = (dynamic + RED_ZONE - 1) / RED_ZONE * RED_ZONE + RED_ZONE;
    set_poison(b.arena + dynamic, ARENA - dynamic, true);
}
void *shared_variable(const void *key, size_t size, size_t align, const char *name) {
    Block &b = *running;
    for (const Variable &v : b.variables)
        if (v.key == key) return v.at;
    const size_t limit = block_shared(context->sm);
    b.shared_counted += size;
    b.static_counted += size;
    if (b.static_counted > STATIC_LIMIT)
        die("%s: %zu bytes of static shared memory; 48 KB is the limit", name, b.static_counted);
    if (b.shared_counted > limit)
        die("%s: %zu bytes of shared memory; sm_%d has %zu", name, b.shared_counted, context->sm,
            limit);
    align = std::max<size_t>(align, RED_ZONE);
    const size_t at = (b.arena_used + align - 1) / align * align;
    b.arena_used = at + size + RED_ZONE;
    if (b.arena_used > ARENA) die("%s: too many shared variables", name);
    set_poison(b.arena + at, size, false);
    b.variables.push_back({key, b.arena + at});
    return b.arena + at;
}
uint32_t shared_address(const void *p, const char *what) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(p);
    const uintptr_t base = reinterpret_cast<uintptr_t>(running->arena);
    if (at < base || at >= base + ARENA) die("%s: the address is not in shared memory", what);
    return static_cast<uint32_t>(at - base);
}
void *shared_pointer(uint32_t address) {
    return running->arena + address;
}
} // namespace simt::emu
