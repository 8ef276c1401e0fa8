#include "io/pickle_stack.h"
#include <stdlib.h>
#include <string.h>

/* The limit on the tree, in bytes per byte of pickle. The most expensive opcode, one byte for an
 * empty list or dict, makes one value and one stack entry; lists grow by doubling. */
#define ARENA_PER_BYTE 160
#define ARENA_FLOOR 65536
#define ARENA_CEILING ((size_t)1 << 30)
#define CHUNK_BYTES 32768

typedef struct chl_pickle_chunk {
    struct chl_pickle_chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t memory[];
} chunk;

typedef chl_pickle_machine machine;
typedef chl_pickle_value value;

chl_status chl_pickle_claim(machine *m, size_t bytes, void **out) {
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > m->arena_limit - m->arena_bytes)
        return chl_fail(
            CHL_ERR_FORMAT,
            "%s: pickle byte %zu: the objects need more than %zu bytes, out of proportion "
            "to the file: not a checkpoint",
            m->file, (size_t)(m->at - m->start), m->arena_limit);
    m->arena_bytes += bytes;
    if (!m->arena || bytes > m->arena->size - m->arena->used) {
        size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk *fresh = malloc(sizeof *fresh + size);
        if (!fresh) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its objects", m->file);
        *fresh = (chunk){.next = m->arena, .size = size};
        m->arena = fresh;
    }
    *out = m->arena->memory + m->arena->used;
    m->arena->used += bytes;
    return CHL_OK;
}

chl_status chl_pickle_make(machine *m, chl_pickle_kind kind, value **out) {
    void *memory = NULL;
    CHL_TRY(chl_pickle_claim(m, sizeof **out, &memory));
    *out = memset(memory, 0, sizeof **out);
    (*out)->kind = kind;
    return CHL_OK;
}

chl_status chl_pickle_append(machine *m, value *list, value **items, int64_t count) {
    if (list->list.count + count > list->list.capacity) {
        int64_t capacity = list->list.count + count;
        if (capacity < 2 * list->list.capacity) capacity = 2 * list->list.capacity;
        void *memory = NULL;
        CHL_TRY(chl_pickle_claim(m, (size_t)capacity * sizeof *list->list.item, &memory));
        if (list->list.count)
            memcpy(memory, list->list.item, (size_t)list->list.count * sizeof *list->list.item);
        list->list.item = memory;
        list->list.capacity = capacity;
    }
    if (count) memcpy(list->list.item + list->list.count, items, (size_t)count * sizeof *items);
    list->list.count += count;
    return CHL_OK;
}

/* Doubles an array until `needed` items fit; each use is bounded by the bytes read so far. */
static chl_status reserve(machine *m, void *array, int64_t *capacity, int64_t needed, size_t item) {
    if (needed <= *capacity) return CHL_OK;
    int64_t grown = *capacity ? *capacity : 64;
    while (grown < needed) grown *= 2;
    void *memory = realloc(*(void **)array, (size_t)grown * item);
    if (!memory) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its pickle", m->file);
    *(void **)array = memory;
    *capacity = grown;
    return CHL_OK;
}

chl_status chl_pickle_push(machine *m, value *v) {
    CHL_TRY(reserve(m, &m->stack, &m->depth_capacity, m->depth + 1, sizeof *m->stack));
    m->stack[m->depth++] = v;
    return CHL_OK;
}

chl_status chl_pickle_push_new(machine *m, chl_pickle_kind kind, value **out) {
    CHL_TRY(chl_pickle_make(m, kind, out));
    return chl_pickle_push(m, *out);
}

int64_t chl_pickle_reachable(const machine *m) {
    return m->depth - (m->marks ? m->mark[m->marks - 1] : 0);
}

chl_status chl_pickle_pop(machine *m, value **out) {
    if (chl_pickle_reachable(m) < 1) return chl_pickle_damaged(m, "it pops from an empty stack");
    *out = m->stack[--m->depth];
    return CHL_OK;
}

chl_status chl_pickle_pop_mark(machine *m, value ***items, int64_t *count) {
    if (!m->marks) return chl_pickle_damaged(m, "a mark is missing");
    const int64_t base = m->mark[--m->marks];
    *count = m->depth - base;
    *items = *count ? m->stack + base : NULL;
    m->depth = base;
    return CHL_OK;
}

chl_status chl_pickle_open_mark(machine *m) {
    CHL_TRY(reserve(m, &m->mark, &m->mark_capacity, m->marks + 1, sizeof *m->mark));
    m->mark[m->marks++] = m->depth;
    return CHL_OK;
}

/* Writers number their memo from 0, so an index beyond the bytes read is impossible. */
chl_status chl_pickle_memo_put(machine *m, uint64_t index) {
    if (index >= (uint64_t)(m->at - m->start))
        return chl_pickle_damaged(m, "a memo index is impossible");
    if (chl_pickle_reachable(m) < 1)
        return chl_pickle_damaged(m, "it memoizes the top of an empty stack");
    const int64_t before = m->memo_capacity;
    CHL_TRY(reserve(m, &m->memo, &m->memo_capacity, (int64_t)index + 1, sizeof *m->memo));
    if (m->memo_capacity > before)
        memset(m->memo + before, 0, (size_t)(m->memo_capacity - before) * sizeof *m->memo);
    m->memoized += !m->memo[index];
    m->memo[index] = m->stack[m->depth - 1];
    return CHL_OK;
}

chl_status chl_pickle_memo_get(machine *m, uint64_t index) {
    if (index >= (uint64_t)m->memo_capacity || !m->memo[index])
        return chl_pickle_damaged(m, "it refers to a value that was never memoized");
    return chl_pickle_push(m, m->memo[index]);
}

void chl_pickle_machine_start(machine *m, const uint8_t *data, size_t size, const char *name) {
    *m = (machine){.file = name, .start = data, .at = data, .end = data + size};
    m->arena_limit =
        size < ARENA_CEILING / ARENA_PER_BYTE ? ARENA_FLOOR + ARENA_PER_BYTE * size : ARENA_CEILING;
}

void chl_pickle_machine_stop(machine *m) {
    free(m->stack);
    free(m->mark);
    free(m->memo);
}

void chl_pickle_arena_free(chunk *arena) {
    for (chunk *c = arena, *next; c; c = next) {
        next = c->next;
        free(c);
    }
}
