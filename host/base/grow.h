/* Lists that grow one by one. */
#ifndef CHL_BASE_GROW_H
#define CHL_BASE_GROW_H
#include <stdint.h>
#include <stdlib.h>

/* The list with room for one more than `count` items of `size` bytes; NULL without memory: the list
 * stays as it is. */
static inline void *chl_grown(void *list, int64_t count, int64_t *room, size_t size) {
    if (count < *room) return list;
    const int64_t wanted = *room ? 2 * *room : 256;
    void *more = realloc(list, (size_t)wanted * size);
    if (more) *room = wanted;
    return more;
}
#endif
