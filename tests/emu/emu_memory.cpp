// Copies that land later: cp.async.
#include "emu_machine.h"

namespace simt::emu {
static void land(const Copy &c) {
    note_read(c.from, c.valid);
    note_write(c.to, c.size);
    std::memcpy(c.to, c.from, c.valid);
    std::memset(static_cast<unsigned char *>(c.to) + c.valid, 0, c.size - c.valid);
}

void cp_async(void *to, const void *from, unsigned size, unsigned valid, Where here) {
    need_sm(80, "cp.async");
    const auto misaligned = [size](const void *p) { return reinterpret_cast<uintptr_t>(p) % size; };
    if (misaligned(to) || (valid && misaligned(from)))
        die("cp.async at %s:%d: an address is not %u-byte aligned", here.file, here.line, size);
    shared_address(to, "cp.async");
    const Copy c{to, from, size, valid};
    Fiber &f = *running->current;
    f.copies.push_back(c);
    if (settings().early) {
        land(c);
    } else { // it may land from now on: who still uses the place is told now, not only at the wait
        note_read(from, valid);
        note_write(to, size);
    }
}
void cp_async_commit() {
    Fiber &f = *running->current;
    f.copy_groups.end.push_back(f.copies.size());
}
void cp_async_wait(unsigned groups_left) {
    Fiber &f = *running->current;
    std::vector<size_t> &end = f.copy_groups.end;
    if (end.size() <= groups_left) return;
    const size_t groups = end.size() - groups_left, landed = end[groups - 1];
    if (!settings().early)
        for (size_t i = 0; i < landed; i++) land(f.copies[i]);
    f.copies.erase(f.copies.begin(), f.copies.begin() + static_cast<ptrdiff_t>(landed));
    end.erase(end.begin(), end.begin() + static_cast<ptrdiff_t>(groups));
    for (size_t &e : end) e -= landed;
}
void check_nothing_in_flight(const Fiber &f) {
    if (!f.copies.empty())
        die("thread %u returned with cp.async copies that it did not wait for", f.index);
    if (!f.products.empty())
        die("thread %u returned with wgmma products that it did not wait for", f.index);
}
} // namespace simt::emu
