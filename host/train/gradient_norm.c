#include "train/gradient_norm.h"

#define AT_ONCE 8 /* what chl_sum takes */

/* Row by row and not as one long row, which a GPU would give to one of its many processors. */
static chl_tensor square(chl_graph *g, chl_tensor x, float *rows) {
    const chl_desc *desc = chl_desc_of(g, x);
    const int64_t count = chl_count(desc), first = desc->rank > 1 ? desc->dim[0] : 1;
    const chl_tensor matrix = chl_reshape(g, x, chl_f32(2, first, count / first));
    *rows = (float)first;
    return chl_reshape(g, chl_mean(g, chl_row_dot(g, matrix, matrix)), chl_f32(1, 1));
}

/* total + sum of coefficient * part; total may be CHL_NONE */
static chl_tensor add_up(chl_graph *g, chl_tensor total, int count, chl_tensor *part,
                         float *coefficient) {
    if (total != CHL_NONE) {
        part[count] = total;
        coefficient[count++] = 1;
    }
    return count == 0 ? total : chl_sum(g, 0, count, coefficient, part);
}

chl_tensor chl_gradient_square(chl_graph *g, int count, const chl_tensor *gradient) {
    chl_tensor part[AT_ONCE], total = CHL_NONE;
    float coefficient[AT_ONCE];
    int parts = 0;
    for (int i = 0; i < count && chl_graph_status(g) == CHL_OK; i++) {
        if (gradient[i] == CHL_NONE) continue;
        part[parts] = square(g, gradient[i], &coefficient[parts]);
        if (++parts < AT_ONCE - 1) continue;
        total = add_up(g, total, parts, part, coefficient);
        parts = 0;
    }
    return add_up(g, total, parts, part, coefficient);
}
