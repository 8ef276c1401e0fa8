#include "op/conv_case.h"
#include "reference.h"

REFERENCE(conv) {
    const conv_case *a = SETTINGS(conv_case);
    const real *x = IN(0), *w = IN(1), *b = IN(2);
    const int64_t *in = call->in_desc[0].dim, *out = call->out_desc[0].dim;
    const int64_t kernel = call->in_desc[1].dim[2];
    for (int64_t at = 0; at < chl_count(&call->out_desc[0]); at++) {
        const int64_t o = at % out[3], column = at / out[3] % out[2];
        const int64_t row = at / out[3] / out[2] % out[1], n = at / out[3] / out[2] / out[1];
        real y = b ? b[o] : 0;
        for (int64_t tap = 0; tap < kernel * kernel; tap++) {
            const int64_t i = row * a->stride - a->pad + tap / kernel;
            const int64_t j = column * a->stride - a->pad + tap % kernel;
            if (i < 0 || j < 0 || i >= in[1] || j >= in[2]) continue;
            for (int64_t c = 0; c < in[3]; c++)
                y += x[((n * in[1] + i) * in[2] + j) * in[3] + c] *
                     w[(o * in[3] + c) * kernel * kernel + tap];
        }
        OUT(0)[at] = y;
    }
}
