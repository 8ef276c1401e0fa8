#include "reference.h"
#include "sequence_settings.h"

REFERENCE(layer_norm) {
    const norm_settings *s = SETTINGS(norm_settings);
    int64_t width = chl_count(&call->in_desc[1]);
    for (int64_t r = 0; r < chl_count(&call->in_desc[0]) / width; r++) {
        const real *x = IN(0) + r * width;
        real mean = 0, variance = 0;
        for (int64_t c = 0; c < width; c++) mean += x[c] / (double)width;
        for (int64_t c = 0; c < width; c++) variance += (x[c] - mean) * (x[c] - mean);
        real deviation = real_sqrt(variance / (double)width + s->eps);
        for (int64_t c = 0; c < width; c++)
            OUT(0)[r * width + c] = (x[c] - mean) / deviation * IN(1)[c] + IN(2)[c];
    }
}
