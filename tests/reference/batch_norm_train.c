#include "reference.h"

REFERENCE(batch_norm_train) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const real *x = IN(0), *gamma = IN(1), *beta = IN(2);
    real *y = OUT(0), *mean = OUT(1), *var = OUT(2);
    const int64_t channels = call->in_desc[1].dim[0];
    const int64_t rows = chl_count(&call->out_desc[0]) / channels;
    for (int64_t c = 0; c < channels; c++) {
        real sum = 0, squares = 0;
        for (int64_t r = 0; r < rows; r++) sum += x[r * channels + c];
        mean[c] = sum / (double)rows;
        for (int64_t r = 0; r < rows; r++) {
            const real d = x[r * channels + c] - mean[c];
            squares += d * d;
        }
        var[c] = squares / (double)rows;
        for (int64_t r = 0; r < rows; r++)
            y[r * channels + c] = (x[r * channels + c] - mean[c]) /
                                      real_sqrt(var[c] + (double)a->norm.eps) * gamma[c] +
                                  beta[c];
    }
}
