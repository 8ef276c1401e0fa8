/* The memory of the pickle machine: value arena, stack, marks and memo. For host/io/pickle*.c, this
 * room only. */
#ifndef CHL_IO_PICKLE_STACK_H
#define CHL_IO_PICKLE_STACK_H
#include "base/status.h"
#include "io/pickle_value.h"

typedef struct chl_pickle_machine {
    const char *file;
    const uint8_t *start, *at, *end;
    struct chl_pickle_chunk *arena;
    size_t arena_bytes, arena_limit;
    chl_pickle_value **stack;
    int64_t depth, depth_capacity;
    int64_t *mark; /* stack depths at the open MARKs */
    int64_t marks, mark_capacity;
    chl_pickle_value **memo;
    int64_t memo_capacity, memoized;
    chl_pickle_value *persistent;
    bool stopped;
} chl_pickle_machine;

void chl_pickle_machine_start(chl_pickle_machine *m, const uint8_t *data, size_t size,
                              const char *name);
/* Frees everything but the arena, which belongs to the tree. */
void chl_pickle_machine_stop(chl_pickle_machine *m);
void chl_pickle_arena_free(struct chl_pickle_chunk *arena);

/* CHL_ERR_FORMAT with file and position. */
static inline chl_status chl_pickle_damaged(const chl_pickle_machine *m, const char *what) {
    return chl_fail(CHL_ERR_FORMAT, "%s: pickle byte %zu: %s: the file is damaged, fetch it again",
                    m->file, (size_t)(m->at - m->start), what);
}

/* Memory that lives as long as the tree, within the limit that follows from the file's size. */
chl_status chl_pickle_claim(chl_pickle_machine *m, size_t bytes, void **out);
/* A zeroed value, not on the stack. */
chl_status chl_pickle_make(chl_pickle_machine *m, chl_pickle_kind kind, chl_pickle_value **out);
/* Appends `count` items to a TUPLE, LIST or DICT. */
chl_status chl_pickle_append(chl_pickle_machine *m, chl_pickle_value *list,
                             chl_pickle_value **items, int64_t count);

chl_status chl_pickle_push(chl_pickle_machine *m, chl_pickle_value *v);
chl_status chl_pickle_push_new(chl_pickle_machine *m, chl_pickle_kind kind, chl_pickle_value **out);
chl_status chl_pickle_pop(chl_pickle_machine *m, chl_pickle_value **out);
/* The number of values above the innermost MARK; those below it are not accessible until it is
 * closed. */
int64_t chl_pickle_reachable(const chl_pickle_machine *m);
chl_status chl_pickle_open_mark(chl_pickle_machine *m);
/* `*items` stays valid until the next push; NULL when there are none. */
chl_status chl_pickle_pop_mark(chl_pickle_machine *m, chl_pickle_value ***items, int64_t *count);

chl_status chl_pickle_memo_put(chl_pickle_machine *m, uint64_t index);
chl_status chl_pickle_memo_get(chl_pickle_machine *m, uint64_t index);
#endif
