#include "reference.h"
#include "sequence_settings.h"

/* With one input it is the matrix of products of x's rows, x x^T. */
REFERENCE(linear) {
    const linear_settings *s = SETTINGS(linear_settings);
    const real *x = IN(0), *w = call->op->inputs > 1 ? IN(1) : x;
    const real *b = call->op->inputs > 2 ? IN(2) : NULL;
    int64_t in = call->in_desc[0].dim[call->in_desc[0].rank - 1];
    int64_t out = call->out_desc[0].dim[call->out_desc[0].rank - 1];
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        real total = 0;
        for (int64_t k = 0; k < in; k++) total += x[i / out * in + k] * w[i % out * in + k];
        OUT(0)[i] = s->gain * total + (b ? s->bias_gain * b[i % out] : 0);
    }
}
