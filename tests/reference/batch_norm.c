#include "reference.h"

REFERENCE(batch_norm) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const real *x = IN(0), *gamma = IN(1), *beta = IN(2), *mean = IN(3), *var = IN(4);
    const int64_t channels = call->in_desc[1].dim[0];
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        const int64_t c = i % channels;
        OUT(0)[i] = (x[i] - mean[c]) / real_sqrt(var[c] + (double)a->norm.eps) * gamma[c] + beta[c];
    }
}
