#include "reference.h"

REFERENCE(max_pool) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const int64_t *in = call->in_desc[0].dim, *out = call->out_desc[0].dim;
    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t i = 0; i < out[1]; i++)
            for (int64_t j = 0; j < out[2]; j++)
                for (int64_t c = 0; c < out[3]; c++) {
                    real most = -INFINITY;
                    for (int64_t k = 0; k < (int64_t)a->pool.kernel * a->pool.kernel; k++) {
                        const int64_t row = i * a->pool.stride - a->pool.pad + k / a->pool.kernel;
                        const int64_t col = j * a->pool.stride - a->pool.pad + k % a->pool.kernel;
                        if (row < 0 || row >= in[1] || col < 0 || col >= in[2]) continue;
                        const real x = IN(0)[((n * in[1] + row) * in[2] + col) * in[3] + c];
                        if (RE(x) > RE(most)) most = x;
                    }
                    OUT(0)[((n * out[1] + i) * out[2] + j) * out[3] + c] = most;
                }
}
