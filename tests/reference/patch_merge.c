#include "reference.h"

/* x0 = x[0::2,0::2], x1 = x[1::2,0::2], x2 = x[0::2,1::2], x3 = x[1::2,1::2], side by side */
REFERENCE(patch_merge) {
    static const int down[4] = {0, 1, 0, 1}, right[4] = {0, 0, 1, 1};
    const chl_desc *x = &call->in_desc[0], *y = &call->out_desc[0];
    int64_t c = x->dim[3], i = 0;
    for (int64_t n = 0; n < y->dim[0]; n++)
        for (int64_t row = 0; row < y->dim[1]; row++)
            for (int64_t column = 0; column < y->dim[2]; column++)
                for (int part = 0; part < 4; part++)
                    for (int64_t k = 0; k < c; k++) {
                        int64_t from = (n * x->dim[1] + 2 * row + down[part]) * x->dim[2];
                        OUT(0)[i++] = IN(0)[(from + 2 * column + right[part]) * c + k];
                    }
}
