/* Literally: zeros between the pixels, padding (2,1), a 4 x 4 filter [1,3,3,1] x [1,3,3,1] / 64
 * * 4. */
#include "reference.h"

/* the zero-filled, padded picture at (row, column) */
static real spread(const reference_call *call, int64_t n, int64_t row, int64_t column, int64_t c) {
    const int64_t *in = call->in_desc[0].dim;
    row -= 2;
    column -= 2;
    if (row < 0 || column < 0 || row >= 2 * in[1] || column >= 2 * in[2]) return 0;
    if (row % 2 || column % 2) return 0;
    return IN(0)[((n * in[1] + row / 2) * in[2] + column / 2) * in[3] + c];
}

REFERENCE(upsample_fir) {
    static const double tap[4] = {1, 3, 3, 1};
    const int64_t *out = call->out_desc[0].dim;
    for (int64_t at = 0; at < chl_count(&call->out_desc[0]); at++) {
        const int64_t c = at % out[3], j = at / out[3] % out[2], i = at / out[3] / out[2] % out[1];
        const int64_t n = at / out[3] / out[2] / out[1];
        real y = call->in[1] ? IN(1)[at] : 0;
        for (int k = 0; k < 16; k++)
            y += tap[k / 4] * tap[k % 4] / 64 * 4 * spread(call, n, i + k / 4, j + k % 4, c);
        OUT(0)[at] = y;
    }
}
