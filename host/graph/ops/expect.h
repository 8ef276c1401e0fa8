/* Shape checks for infer functions. */
#ifndef CHL_CORE_OPS_EXPECT_H
#define CHL_CORE_OPS_EXPECT_H
#include "graph/rule.h"
#include <inttypes.h>

#define CHL_EXPECT(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition)) return chl_fail(CHL_ERR_SHAPE, __VA_ARGS__);                             \
    } while (0)

static inline bool chl_is_vector(const chl_desc *d, int64_t size) {
    return d->rank == 1 && d->dim[0] == size;
}
static inline bool chl_is_matrix(const chl_desc *d, int64_t rows, int64_t columns) {
    return d->rank == 2 && d->dim[0] == rows && d->dim[1] == columns;
}
static inline int64_t chl_last_dim(const chl_desc *d) {
    return d->dim[d->rank - 1];
}
static inline chl_desc chl_vector(int64_t size) {
    return chl_make_desc(CHL_F32, 1, &size);
}
#endif
