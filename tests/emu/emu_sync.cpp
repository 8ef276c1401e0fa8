// Where threads wait for one another: barriers, warp and warpgroup meetings, mbarriers.
#include "emu_machine.h"

namespace simt::emu {
// --- barriers ------------------------------------------------------------------------------------
static void complete(Block &b, Barrier &r) {
    set_ready(b, r.waiting);
    r.arrived.clear();
    r.count = r.want = 0;
    r.sync.generation++;
}
// Hardware counts whole warps at a barrier: part of one is undefined behaviour.
static void check_whole_warps(const Block &b, const Barrier &r, int id) {
    for (unsigned w = 0; w < MAX_WARPS; w++) {
        const uint32_t came = r.arrived.warp(w);
        if (id != 0 && came && came != b.warps[w].all)
            die("barrier %d: only lanes %08x of warp %u came, of %08x", id, came, w,
                b.warps[w].all);
    }
}
static void come(Block &b, Barrier &r, int id, unsigned want, bool wait, const char *what,
                 Where here) {
    Fiber &f = *b.current;
    if (r.arrived.has(f.index))
        die("%s %d at %s:%d: this thread has come already in this round", what, id, here.file,
            here.line);
    if (!r.count) {
        r.first = here;
        r.want = want;
    }
    r.count++;
    r.arrived.add(f.index);
    void *sync = r.sync.now();
    release(sync);
    if (r.count == want) {
        check_whole_warps(b, r, id);
        complete(b, r);
    } else if (wait) {
        r.waiting.add(f.index);
        wait_here(b, what, here);
    }
    if (wait) acquire(sync);
}

void syncthreads(Where here) {
    Block &b = *running;
    Barrier &r = b.barriers[0];
    // CUDA allows it in a branch only where all threads take that branch
    if (r.count && (r.first.line != here.line || std::strcmp(r.first.file, here.file)))
        die("__syncthreads in a divergent branch: %s:%d meets %s:%d", here.file, here.line,
            r.first.file, r.first.line);
    come(b, r, 0, b.alive, true, "__syncthreads", here);
}
void barrier(int id, int threads, bool wait, Where here) {
    Block &b = *running;
    const char *what = wait ? "barrier_sync" : "barrier_arrive";
    if (id < 1 || id >= static_cast<int>(BARRIERS))
        die("%s: barrier %d; 1 to 15 are there (0 is __syncthreads)", what, id);
    if (threads < 32 || threads % 32 || threads > static_cast<int>(b.count))
        die("%s %d: %d threads; a multiple of 32 up to %u is needed", what, id, threads, b.count);
    Barrier &r = b.barriers[id];
    if (r.count && r.want != static_cast<unsigned>(threads))
        die("barrier %d: %s:%d says %d threads, %s:%d said %u", id, here.file, here.line, threads,
            r.first.file, r.first.line, r.want);
    come(b, r, id, static_cast<unsigned>(threads), wait, what, here);
}

// --- warps ---------------------------------------------------------------------------------------
// Lanes with disjoint masks meet at the same time, and lanes that are through with one mask may
// come with a wider one while others still meet: a meeting is known by its mask.
static Collective &meeting_of(Warp &w, uint32_t mask) {
    Collective *free = nullptr;
    for (Collective &c : w.meetings) {
        if (c.arrived && c.mask == mask) return c;
        if (!c.arrived && !free) free = &c;
    }
    return *free; // a lane is in one meeting at most: 32 are enough
}
uint32_t active_lanes() {
    // lanes that run the same instruction: a fiber runs alone, and code that needs more is wrong to
    // ask
    return 1u << context->lane;
}
void collective(uint32_t mask, void *argument, const char *what, bool fence, Work work,
                Where here) {
    Block &b = *running;
    Fiber &f = *b.current;
    const unsigned lane = f.index % WARP;
    Warp &w = b.warps[f.index / WARP];
    if (!(mask >> lane & 1))
        die("%s at %s:%d: lane %u is not in its own mask %08x", what, here.file, here.line, lane,
            mask);
    if ((mask & w.alive) != mask)
        die("%s at %s:%d: mask %08x names lanes that have returned or do not exist (%08x run)",
            what, here.file, here.line, mask, w.alive);
    Collective &c = meeting_of(w, mask);
    if (!c.arrived) {
        c.mask = mask;
        c.what = what;
    } else if (std::strcmp(c.what, what)) {
        die("%s at %s:%d meets %s of the same mask %08x", what, here.file, here.line, c.what, mask);
    }
    c.argument[lane] = argument;
    c.arrived |= 1u << lane;
    void *sync = c.sync.now();
    if (fence) release(sync);
    if (c.arrived == mask) {
        if (work) work(c.argument, mask);
        c.arrived = 0;
        c.sync.generation++;
        for (uint32_t m = mask & ~(1u << lane); m; m &= m - 1)
            set_ready(b, f.index / WARP * WARP + static_cast<unsigned>(__builtin_ctz(m)));
    } else {
        wait_here(b, what, here);
    }
    if (fence) acquire(sync);
}
void warpgroup_collective(void *argument, const char *what, GroupWork work, Where here) {
    Block &b = *running;
    Fiber &f = *b.current;
    Group &g = b.groups[f.index / (4 * WARP)];
    const unsigned first = f.index / (4 * WARP) * 4 * WARP;
    for (unsigned w = first / WARP; w < first / WARP + 4; w++)
        if (b.warps[w].alive != 0xffffffffu)
            die("%s needs four whole warps; warp %u is not", what, w);
    if (g.arrived && std::strcmp(g.what, what))
        die("%s at %s:%d meets %s in its warpgroup", what, here.file, here.line, g.what);
    g.what = what;
    g.argument[f.index - first] = argument;
    if (++g.arrived == 4 * WARP) {
        work(g.argument);
        g.arrived = 0;
        for (unsigned i = first; i < first + 4 * WARP; i++)
            if (i != f.index) set_ready(b, i);
    } else {
        wait_here(b, what, here);
    }
}

void leave_meetings(Block &b, Fiber &f) {
    const unsigned lane = f.index % WARP;
    Warp &w = b.warps[f.index / WARP];
    w.alive &= ~(1u << lane);
    for (const Collective &c : w.meetings)
        if (c.arrived && (c.mask >> lane & 1))
            die("thread %u returned while its warp waits for it in %s", f.index, c.what);
    Barrier &r = b.barriers[0]; // hardware counts the threads that are still there
    if (r.count) {
        r.want = b.alive;
        if (r.count == b.alive) complete(b, r);
    }
    if (b.alive) return;
    for (unsigned id = 1; id < BARRIERS; id++)
        if (b.barriers[id].count)
            die("the block ended with %u of %u threads come to barrier %u", b.barriers[id].count,
                b.barriers[id].want, id);
    for (const Mbarrier &m : b.mbarriers)
        if (m.bytes || !m.flying.empty())
            die("the block ended with a tile load that nobody waited for");
}
void reset_meetings(Block &b) {
    for (Barrier &r : b.barriers) {
        r.arrived.clear();
        r.waiting.clear();
        r.count = r.want = 0;
    }
    for (unsigned w = 0; w < MAX_WARPS; w++) {
        const unsigned first = w * WARP, left = b.count > first ? b.count - first : 0;
        b.warps[w].alive = b.warps[w].all = left >= WARP ? 0xffffffffu : (1u << left) - 1;
    }
    b.mbarriers.clear();
}
} // namespace simt::emu
