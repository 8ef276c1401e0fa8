// mbarriers, tensor-map loads and warpgroup products. The copy engine is a thread of its own to
// ThreadSanitizer: it knows what the issuing thread knew, and who waits on the mbarrier learns what
// it did.
#include "emu_machine.h"

#ifdef EMU_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace simt {
int make_tensor_map(tensor_map *map, const void *base, int rank, const uint64_t *size,
                    const uint64_t *pitch, const uint32_t *box, bool swizzle) {
    constexpr int INVALID = 1; // CUDA_ERROR_INVALID_VALUE
    constexpr size_t ELEMENT = 2;
    // a driver that refuses every map
    if (const char *said = std::getenv("EMU_TENSOR_MAPS"); said && !std::strcmp(said, "refuse"))
        return INVALID;
    if (rank < 2 || rank > 5 || reinterpret_cast<uintptr_t>(base) % 16) return INVALID;
    *map = {static_cast<const unsigned char *>(base), rank, {}, {ELEMENT}, {}, swizzle};
    for (int i = 0; i < rank; i++) {
        map->size[i] = size[i];
        map->box[i] = box[i];
        if (i > 0) map->pitch[i] = pitch[i - 1];
        if (!size[i] || !box[i] || box[i] > 256 || (i > 0 && map->pitch[i] % 16)) return INVALID;
    }
    const size_t inner = box[0] * ELEMENT;
    return inner % 16 || (swizzle && inner > 128) ? INVALID : 0;
}

namespace emu {
// --- mbarriers -----------------------------------------------------------------------------------
// The object's memory holds this, so that a stray store into it is noticed.
static uint64_t mark(const mbarrier *m) {
    return 0x6d62617272696572u ^ reinterpret_cast<uintptr_t>(m);
}

static Mbarrier &known(mbarrier *at, const char *what, Where here) {
    need_sm(90, what);
    for (Mbarrier &m : running->mbarriers)
        if (m.at == at) {
            note_read(at, sizeof *at); // a use that its initialisation does not precede is a race
            if (*at != mark(at))
                die("%s at %s:%d: the mbarrier was overwritten", what, here.file, here.line);
            return m;
        }
    die("%s at %s:%d: the mbarrier is not initialised", what, here.file, here.line);
}
void mbarrier_init(mbarrier *at, unsigned count, Where here) {
    need_sm(90, "mbarrier.init");
    shared_address(at, "mbarrier.init");
    if (!count || count >= 1u << 20)
        die("mbarrier.init at %s:%d: %u arrivals", here.file, here.line, count);
    for (const Mbarrier &m : running->mbarriers)
        if (m.at == at)
            die("mbarrier.init at %s:%d: it is initialised already", here.file, here.line);
    note_write(at, sizeof *at);
    *at = mark(at);
    Mbarrier m;
    m.at = at;
    m.expected = m.pending = count;
    running->mbarriers.push_back(m);
}
static void complete_if_all_there(Mbarrier &m) {
    running->idle = 0;
    if (m.pending || m.bytes) return;
    m.phase++;
    m.pending = m.expected;
    m.sync.generation++;
    set_ready(*running, m.waiting);
}
void mbarrier_arrive(mbarrier *at, unsigned expected_bytes, Where here) {
    Mbarrier &m = known(at, "mbarrier.arrive", here);
    if (!m.pending)
        die("mbarrier.arrive at %s:%d: more than %u arrivals in a phase", here.file, here.line,
            m.expected);
    release(m.sync.now());
    m.bytes += expected_bytes;
    m.pending--;
    complete_if_all_there(m);
}

// --- tensor-map loads ----------------------------------------------------------------------------
static void as_engine(bool begin) {
#ifdef EMU_TSAN
    void *to = begin ? running->engine : running->current->tsan;
    __tsan_switch_to_fiber(to, __tsan_switch_to_fiber_no_sync);
#else
    (void)begin;
#endif
}
static unsigned char *swizzled(unsigned char *p) { // by address, as the hardware does it
    const uintptr_t at = reinterpret_cast<uintptr_t>(p);
    return reinterpret_cast<unsigned char *>(at ^ (at >> 7 & 7) << 4);
}
static void copy_tile(const TileCopy &c) {
    const tensor_map &map = c.map;
    const uint32_t inner = map.box[0];
    const size_t rows = c.bytes / 2 / inner;
    for (size_t r = 0; r < rows; r++) {
        const unsigned char *from = map.base;
        bool inside = true;
        size_t left = r;
        for (int i = 1; i < map.rank; i++) {
            const int64_t at = c.at[i] + static_cast<int64_t>(left % map.box[i]);
            left /= map.box[i];
            inside = inside && at >= 0 && at < static_cast<int64_t>(map.size[i]);
            if (inside) from += static_cast<uint64_t>(at) * map.pitch[i];
        }
        for (uint32_t i = 0; i < inner; i++) {
            const int64_t at = c.at[0] + static_cast<int64_t>(i);
            uint16_t element = 0;
            if (inside && at >= 0 && at < static_cast<int64_t>(map.size[0])) {
                note_read(from + at * 2, 2);
                std::memcpy(&element, from + at * 2, 2);
            }
            unsigned char *to = c.to + (r * inner + i) * 2;
            std::memcpy(map.swizzle ? swizzled(to) : to, &element, 2);
        }
    }
}
static void land(Mbarrier &m) {
    for (const TileCopy &c : m.flying) {
        as_engine(true);
        note_write(c.to, c.bytes);
        copy_tile(c);
        release(m.sync.now());
        as_engine(false);
        m.bytes -= static_cast<int64_t>(c.bytes);
    }
    m.flying.clear();
    complete_if_all_there(m);
}
void tma_load(void *to, const tensor_map *map, mbarrier *at, int rank, const int *where,
              Where here) {
    Mbarrier &m = known(at, "the tile load", here);
    const uint32_t place = shared_address(to, "the tile load");
    if (map->rank != rank)
        die("tile load at %s:%d: %d coordinates for a map of rank %d", here.file, here.line, rank,
            map->rank);
    if (place % (map->swizzle ? 1024 : 128))
        die("tile load at %s:%d: the place is not %d-byte aligned", here.file, here.line,
            map->swizzle ? 1024 : 128);
    TileCopy c{static_cast<unsigned char *>(to), *map, {}, 2};
    for (int i = 0; i < rank; i++) {
        c.at[i] = where[i];
        c.bytes *= map->box[i];
    }
    Block &b = *running;
    release(&b.issue);
    as_engine(true);
    acquire(&b.issue);
    note_write(to, c.bytes); // it may land from now on
    as_engine(false);
    m.flying.push_back(c);
    const bool awaited = std::any_of(std::begin(m.waiting.word), std::end(m.waiting.word),
                                     [](uint64_t w) { return w != 0; });
    if (settings().early || awaited) land(m);
}
bool mbarrier_try_wait(mbarrier *at, unsigned parity, bool block, Where here) {
    Block &b = *running;
    for (;;) {
        Mbarrier &m = known(at, "mbarrier.try_wait", here);
        if ((m.phase & 1) != (parity & 1)) {
            acquire(&m.sync.point[parity & 1]);
            return true;
        }
        if (!m.flying.empty()) {
            land(m);
        } else if (block) {
            m.waiting.add(b.current->index);
            wait_here(b, "mbarrier_wait", here);
        } else {
            yield(here);
            return false;
        }
    }
}

// --- warpgroup products --------------------------------------------------------------------------
// Matrix descriptor, PTX ISA "Matrix Descriptor Format": bits 0-13 address / 16, 32-45 bytes
// between groups of 8 rows / 16, 62-63 swizzle (1: 128 bytes).
constexpr uint64_t GROUP_PITCH = 1024, SWIZZLE_128 = 1;

uint64_t wgmma_operand(const void *tile, Where here) {
    const uint64_t at = shared_address(tile, "wgmma");
    if (at % 1024)
        die("wgmma_operand at %s:%d: the tile is not 1024-byte aligned", here.file, here.line);
    return at / 16 | GROUP_PITCH / 16 << 32 | SWIZZLE_128 << 62;
}
// 16 elements of row `row`: two 16-byte chunks, each where the swizzle has put it
static void load_row(uint64_t descriptor, int row, float *to, bool note) {
    const uint64_t start = (descriptor & 0x3fff) * 16, pitch = (descriptor >> 32 & 0x3fff) * 16;
    for (unsigned chunk = 0; chunk < 2; chunk++) {
        const uint64_t at = start + static_cast<uint64_t>(row / 8) * pitch +
                            static_cast<uint64_t>(row % 8) * 128 + chunk * 16;
        const unsigned char *p =
            swizzled(static_cast<unsigned char *>(shared_pointer(static_cast<uint32_t>(at))));
        if (note) note_read(p, 16);
        uint16_t halves[8];
        std::memcpy(halves, p, sizeof halves);
        for (unsigned i = 0; i < 8; i++) to[chunk * 8 + i] = from_bf16(halves[i]);
    }
}
// the 16 elements of column `column` of a tile that lies with k outermost
static void load_turned(uint64_t descriptor, int column, float *to, bool note) {
    const uint64_t start = (descriptor & 0x3fff) * 16, pitch = (descriptor >> 32 & 0x3fff) * 16;
    const uint64_t next_columns = (descriptor >> 16 & 0x3fff) * 16;
    for (unsigned k = 0; k < 16; k++) {
        const uint64_t at = start + static_cast<uint64_t>(column / 64) * next_columns +
                            k / 8 * pitch + k % 8 * 128 + static_cast<uint64_t>(column % 64) * 2;
        const unsigned char *p =
            swizzled(static_cast<unsigned char *>(shared_pointer(static_cast<uint32_t>(at))));
        if (note) note_read(p, 2);
        uint16_t half;
        std::memcpy(&half, p, sizeof half);
        to[k] = from_bf16(half);
    }
}
// this thread's share of the product
static void multiply(const Product &p, float *value, unsigned t) {
    float a[2][16], b[16];
    const int first = static_cast<int>(t / 32 * 16 + t % 32 / 4);
    for (int half = 0; half < 2; half++)
        if (p.held)
            std::copy_n(p.rows[half], 16, a[half]);
        else
            load_row(p.a, first + half * 8, a[half], t % 4 == 0);
    for (int column = 0; column < p.n; column++) {
        if (column % 8 / 2 != static_cast<int>(t % 4)) continue;
        if (p.turned)
            load_turned(p.b, column, b, t % 32 < 4);
        else
            load_row(p.b, column, b, t % 32 < 4);
        for (int half = 0; half < 2; half++)
            for (int k = 0; k < 16; k++)
                value[column / 8 * 4 + half * 2 + column % 2] += a[half][k] * b[k];
    }
}
static void same_operands(void **argument) {
    const auto thread = [argument](int i) { return static_cast<Product *>(argument[i]); };
    for (int i = 1; i < 128; i++)
        if (thread(i)->a != thread(0)->a || thread(i)->b != thread(0)->b ||
            thread(i)->n != thread(0)->n || !thread(i)->held != !thread(0)->held)
            die("wgmma: the threads of a warpgroup name different operands");
    if (!thread(0)->held) return;
    // A copy for each thread: memory that they shared would be freed by the last, which
    // ThreadSanitizer takes for a race of the kernel.
    float rows[64][16];
    for (int t = 0; t < 128; t++)
        for (int i = 0; i < 8; i++) {
            const int row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
            const int k = i / 4 * 8 + t % 4 * 2 + i % 2;
            rows[row][k] =
                from_bf16(static_cast<uint16_t>(thread(t)->as_issued[i / 2] >> (i % 2 ? 16 : 0)));
        }
    for (int t = 0; t < 128; t++)
        for (int half = 0; half < 2; half++)
            for (int k = 0; k < 16; k++)
                thread(t)->rows[half][k] = rows[t / 32 * 16 + t % 32 / 4 + half * 8][k];
}
void wgmma(float *d, int n, const uint32_t *held, uint64_t a, uint64_t b, bool turned, Where here) {
    need_sm(90, "wgmma");
    if ((!held && a >> 62 != SWIZZLE_128) || b >> 62 != SWIZZLE_128)
        die("wgmma at %s:%d: only tiles with the 128-byte swizzle are known here", here.file,
            here.line);
    Fiber &f = *running->current;
    Product p{d, n, a, b, turned, held, {}, here, {}, {}};
    if (held) std::copy_n(held, 4, p.as_issued);
    const bool follows = std::any_of(f.products.begin(), f.products.end(),
                                     [d](const Product &q) { return q.d == d; });
    if (!follows) {
        if (!f.wgmma_fenced)
            die("wgmma at %s:%d: no wgmma_fence since the registers were last used", here.file,
                here.line);
        p.value.assign(d, d + n / 2);
        std::fill(d, d + n / 2, NAN); // not to be read until it has landed
    }
    warpgroup_collective(&p, "wgmma", same_operands, here);
    f.products.push_back(p);
}
void wgmma_fence() {
    running->current->wgmma_fenced = true;
}
void wgmma_commit() {
    Fiber &f = *running->current;
    f.product_groups.end.push_back(f.products.size());
}
void wgmma_wait(unsigned groups_left) {
    Fiber &f = *running->current;
    std::vector<size_t> &end = f.product_groups.end;
    if (end.size() <= groups_left) return;
    const size_t groups = end.size() - groups_left, landed = end[groups - 1];
    for (size_t i = 0; i < landed; i++) {
        Product &p = f.products[i];
        if (p.held && !std::equal(p.held, p.held + 4, p.as_issued))
            die("wgmma at %s:%d: a's registers changed before it was waited for", p.where.file,
                p.where.line);
        multiply(p, p.value.data(), f.index % 128);
        const auto next =
            std::find_if(f.products.begin() + static_cast<ptrdiff_t>(i) + 1, f.products.end(),
                         [&p](const Product &q) { return q.d == p.d; });
        if (next != f.products.end())
            next->value = std::move(p.value);
        else
            std::copy(p.value.begin(), p.value.end(), p.d);
    }
    f.products.erase(f.products.begin(), f.products.begin() + static_cast<ptrdiff_t>(landed));
    end.erase(end.begin(), end.begin() + static_cast<ptrdiff_t>(groups));
    for (size_t &e : end) e -= landed;
    if (f.products.empty()) f.wgmma_fenced = false;
}
} // namespace emu
} // namespace simt
