/* Memory given back, many pieces in one line. */
#ifndef CHL_BASE_FREE_H
#define CHL_BASE_FREE_H
#include <stdlib.h>

static inline void chl_free_pieces(size_t count, void *const *piece) {
    for (size_t i = 0; i < count; i++) free(piece[i]);
}
/* CHL_FREE(a, b, ...): free of each pointer to what can be written, in this order; NULL is fine. */
#define CHL_FREE(...)                                                                              \
    chl_free_pieces(sizeof((void *[]){__VA_ARGS__}) / sizeof(void *), (void *[]){__VA_ARGS__})
#endif
