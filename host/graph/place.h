/* Places of blocks of memory that live for a while each: blocks that live at the same time lie apart.
 *
 *     chl_block block[] = {{.bytes = 64, .first = 0, .last = 3, .offset = &at[0]},
 *                          {.bytes = 32, .first = 4, .last = 9, .offset = &at[1]}};
 *     int64_t arena;
 *     CHL_TRY(chl_place_blocks(block, 2, 10, &arena));        both at 0, arena 64 */
#ifndef CHL_GRAPH_PLACE_H
#define CHL_GRAPH_PLACE_H
#include "base/status.h"
#include <stdint.h>

typedef struct chl_block {
    int64_t bytes, *offset; /* bytes > 0; *offset is written */
    int32_t first, last;    /* alive from moment first to moment last; 0 <= first <= last */
    int32_t order;          /* which of equals goes first; no two have the same */
} chl_block;

/* Largest first, each at the lowest offset where nothing alive at the same time lies. Puts the blocks
 * into that order. `moments`: no block lives only from there on, and a later `last` counts as the
 * last moment. *total: where the last one ends. */
chl_status chl_place_blocks(chl_block *block, int64_t count, int32_t moments, int64_t *total);
#endif
