// Inside of the machine: what simt_emu.cpp, emu_sync.cpp, emu_memory.cpp and emu_tensor.cpp share.
#pragma once
#include "simt_emu.h"
#include <memory>
#include <vector>

#ifdef EMU_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace simt::emu {
inline constexpr unsigned MAX_THREADS = 1024, WARP = 32, MAX_WARPS = MAX_THREADS / WARP;
inline constexpr unsigned WORDS = MAX_THREADS / 64, BARRIERS = 16;
// The window of a smem descriptor's 18 address bits; above every architecture's limit.
inline constexpr size_t ARENA = size_t{256} << 10;

struct Threads { // a set of threads of a block
    uint64_t word[WORDS] = {};
    void add(unsigned i) { word[i / 64] |= uint64_t{1} << (i % 64); }
    void remove(unsigned i) { word[i / 64] &= ~(uint64_t{1} << (i % 64)); }
    bool has(unsigned i) const { return word[i / 64] >> (i % 64) & 1; }
    uint32_t warp(unsigned w) const { return static_cast<uint32_t>(word[w / 2] >> (w % 2 * 32)); }
    void clear() { *this = Threads{}; }
};

// A point that threads release their past to and acquire it from. Two take turns by generation: a
// thread that leaves late must not be taken to know what the early ones did after leaving.
struct Sync {
    char point[2] = {};
    unsigned generation = 0;
    void *now() { return &point[generation & 1]; }
};
void release(void *point);
void acquire(void *point);

struct Copy { // one cp.async
    void *to;
    const void *from;
    unsigned size, valid; // bytes written; of them read, the rest are zeros
};
struct Groups { // work in flight of one kind, in the order of commits
    std::vector<size_t> end;
};

struct Product { // one wgmma of one thread in flight: its accumulators change when it lands
    float *d;
    int n;
    uint64_t a, b;
    bool turned;           // b lies with k outermost
    const uint32_t *held;  // this thread's share of a, where a comes from registers
    uint32_t as_issued[4]; // what was in it
    Where where;
    float rows[2][16];        // held: the rows of a that this thread multiplies by
    std::vector<float> value; // of the accumulators; empty while an earlier product holds them
};

struct Fiber {
    void *sp = nullptr, *fake_stack = nullptr, *tsan = nullptr;
    unsigned char *stack = nullptr;
    unsigned index = 0;
    uint3 thread{};
    const char *waits_in = nullptr; // nullptr: it runs or may run
    Where where{"", 0};
    std::vector<Copy> copies;
    Groups copy_groups;
    std::vector<Product> products;
    Groups product_groups;
    bool wgmma_fenced = false;
};

struct Barrier {
    Threads arrived, waiting;
    unsigned count = 0, want = 0;
    Where first{"", 0};
    Sync sync;
};
struct Collective { // lanes of a mask that have come to meet
    uint32_t mask = 0, arrived = 0;
    const char *what = nullptr;
    void *argument[WARP];
    Sync sync;
};
struct Warp {
    uint32_t all = 0, alive = 0; // lanes of the launch, and those that have not returned
    Collective meetings[WARP];
};
struct Group { // a warpgroup's meeting
    unsigned arrived = 0;
    const char *what = nullptr;
    void *argument[4 * WARP];
};
struct Variable {
    const void *key;
    unsigned char *at;
};
struct TileCopy { // a tensor-map load on its way
    unsigned char *to;
    tensor_map map;
    int at[5];
    size_t bytes;
};
struct Mbarrier {
    mbarrier *at = nullptr;
    unsigned expected = 0, pending = 0;
    int64_t bytes = 0; // announced and not yet landed
    unsigned phase = 0;
    Threads waiting;
    Sync sync;
    std::vector<TileCopy> flying;
};

struct Block {
    Context context{};
    Fiber main;
    std::vector<Fiber> fibers;
    Fiber *current = nullptr;
    Threads ready;
    unsigned count = 0, alive = 0; // threads
    uint64_t random = 1;
    uint64_t idle = 0; // failed polls since something last moved
    Warp warps[MAX_WARPS];
    Group groups[MAX_WARPS / 4];
    Barrier barriers[BARRIERS];
    std::vector<Mbarrier> mbarriers;
    std::vector<Variable> variables;
    unsigned char *arena = nullptr;
    size_t arena_used = 0, shared_counted = 0, static_counted = 0;
    void *engine = nullptr;             // ThreadSanitizer's view of the copy engine
    char start = 0, end = 0, issue = 0; // points of release and acquire
    void (*body)(void *) = nullptr;
    void *argument = nullptr;
    Block();
    ~Block();
    Block(const Block &) = delete;
    Block &operator=(const Block &) = delete;
};
extern __thread Block *running;

struct Limits {
    int sm;
    size_t block_shared, sm_shared;
    unsigned sm_threads;
};
const Limits *limits_of(int sm);

void set_ready(Block &b, unsigned thread);
void set_ready(Block &b, Threads &threads);             // and empties the set
void wait_here(Block &b, const char *what, Where here); // until another thread sets this one ready
void leave_meetings(Block &b, Fiber &f);                // when a thread returns
void reset_meetings(Block &b);
void reset_shared(Block &b, size_t dynamic);
void check_nothing_in_flight(const Fiber &f);
} // namespace simt::emu
