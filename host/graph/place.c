/* Packing of blocks of memory by size [greedy by size, Pisarchyk & Lee 2020].
 *
 * Idea: of the blocks that are placed, a new one must only know those that live at the same time.
 * The moments are the leaves of a binary tree, and a block hangs at the few nodes that together are
 * its life (whole), and at all nodes above them (inside). Blocks that meet another life are the
 * `whole` ones on the way down to the nodes that are that life, and all that hang at these.
 *
 *     moments          0 1 2 3 4 5 6 7
 *     a lives 2-5          [2 3][4 5]        whole at two nodes, inside at the three above
 *     b lives 5-5                 5          on the way down to 5: the root, 4-7, 4-5, where a is
 *
 * Cost: a block and a moment log(moments) each, and a sort of each block's neighbours. */
#include "graph/place.h"
#include "base/free.h"
#include <stdbool.h>
#include <stdlib.h>

typedef struct entry {
    int32_t block, next; /* -1: the last */
} entry;

typedef struct extent {
    int64_t begin, end;
} extent;

typedef struct packing {
    const chl_block *block;
    int32_t leaves; /* a power of two */
    int32_t *whole,
        *inside; /* [2 leaves] of a node of the tree: entries, -1: none; the root is 1 */
    entry *entry;
    int64_t entries, room;
    int32_t *seen_by;      /* [block] the last one that has it as a neighbour */
    extent *placed, *near; /* [block] */
    int64_t neighbours;
    bool failed;
} packing;

static int32_t min(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* --- the tree --------------------------------------------------------------------------------- */
static void hang(packing *p, int32_t *list, int32_t block) {
    if (p->entries == p->room) {
        const int64_t room = 2 * p->room + 64;
        entry *grown = room < INT32_MAX ? realloc(p->entry, (size_t)room * sizeof *grown) : NULL;
        p->failed = p->failed || !grown;
        if (!grown) return;
        p->entry = grown;
        p->room = room;
    }
    p->entry[p->entries] = (entry){block, *list};
    *list = (int32_t)p->entries++;
}

static void note(packing *p, int32_t list, int32_t wanted) {
    for (int32_t e = list; e >= 0; e = p->entry[e].next) {
        const int32_t b = p->entry[e].block;
        if (p->seen_by[b] == wanted) continue;
        p->seen_by[b] = wanted;
        p->near[p->neighbours++] = p->placed[b];
    }
}

/* The node `at` has the moments [from, from + span). */
static void insert(packing *p, int32_t at, int32_t from, int32_t span, int32_t block) {
    const int32_t first = p->block[block].first, last = p->block[block].last;
    if (last < from || first > from + span - 1) return;
    if (first <= from && from + span - 1 <= last) {
        hang(p, &p->whole[at], block);
        return;
    }
    hang(p, &p->inside[at], block);
    insert(p, 2 * at, from, span / 2, block);
    insert(p, 2 * at + 1, from + span / 2, span / 2, block);
}

static void find_neighbours(packing *p, int32_t at, int32_t from, int32_t span, int32_t wanted) {
    const int32_t first = p->block[wanted].first, last = p->block[wanted].last;
    if (last < from || first > from + span - 1) return;
    note(p, p->whole[at], wanted);
    if (first <= from && from + span - 1 <= last) {
        note(p, p->inside[at], wanted);
        return;
    }
    find_neighbours(p, 2 * at, from, span / 2, wanted);
    find_neighbours(p, 2 * at + 1, from + span / 2, span / 2, wanted);
}

/* --- placing ---------------------------------------------------------------------------------- */
static int by_size(const void *left, const void *right) {
    const chl_block *a = left, *b = right;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a->order < b->order ? -1 : 1; /* a total order: the same plan on every machine */
}

static int by_begin(const void *left, const void *right) {
    const extent *a = left, *b = right;
    return a->begin < b->begin ? -1 : a->begin > b->begin;
}

/* The lowest offset at which it fits among its neighbours. */
static int64_t lowest(packing *p, int64_t bytes) {
    int64_t at = 0;
    qsort(p->near, (size_t)p->neighbours, sizeof *p->near, by_begin);
    for (int64_t i = 0; i < p->neighbours; i++) {
        if (p->near[i].begin >= at + bytes) break;
        if (p->near[i].end > at) at = p->near[i].end;
    }
    return at;
}

static void place(packing *p, int32_t count, int64_t *total) {
    *total = 0;
    for (int32_t i = 0; i < count && !p->failed; i++) {
        p->neighbours = 0;
        find_neighbours(p, 1, 0, p->leaves, i);
        const int64_t at = lowest(p, p->block[i].bytes), end = at + p->block[i].bytes;
        *p->block[i].offset = at;
        p->placed[i] = (extent){at, end};
        insert(p, 1, 0, p->leaves, i);
        if (end > *total) *total = end;
    }
}

static bool begin(packing *p, int64_t count, int32_t moments) {
    for (p->leaves = 1; p->leaves < moments;) p->leaves *= 2;
    const size_t nodes = 2 * (size_t)p->leaves;
    p->whole = malloc(nodes * sizeof *p->whole);
    p->inside = malloc(nodes * sizeof *p->inside);
    p->seen_by = malloc((size_t)count * sizeof *p->seen_by);
    p->placed = malloc((size_t)count * sizeof *p->placed);
    p->near = malloc((size_t)count * sizeof *p->near);
    if (!p->whole || !p->inside || !p->seen_by || !p->placed || !p->near) return false;
    for (size_t i = 0; i < nodes; i++) p->whole[i] = p->inside[i] = -1;
    for (int64_t i = 0; i < count; i++) p->seen_by[i] = -1;
    return true;
}

chl_status chl_place_blocks(chl_block *block, int64_t count, int32_t moments, int64_t *total) {
    packing p = {.block = block};
    *total = 0;
    if (count == 0) return CHL_OK;
    for (int64_t i = 0; i < count; i++) block[i].last = min(block[i].last, moments - 1);
    qsort(block, (size_t)count, sizeof *block, by_size);
    p.failed = count > INT32_MAX || !begin(&p, count, moments);
    if (!p.failed) place(&p, (int32_t)count, total);
    CHL_FREE(p.whole, p.inside, p.entry, p.seen_by, p.placed, p.near);
    return p.failed ? chl_fail(CHL_ERR_MEMORY, "out of memory while planning") : CHL_OK;
}
