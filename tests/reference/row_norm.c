#include "reference.h"
#include "sequence_settings.h"

REFERENCE(row_norm) {
    const norm_settings *s = SETTINGS(norm_settings);
    int64_t width = call->in_desc[0].dim[call->in_desc[0].rank - 1];
    for (int64_t r = 0; r < chl_count(&call->in_desc[0]) / width; r++) {
        const real *x = IN(0) + r * width;
        real square = 0, length;
        for (int64_t c = 0; c < width; c++) square += x[c] * x[c];
        if (s->kind == CHL_NORM_RMS)
            length = real_sqrt(square / (double)width + s->eps);
        else
            length = RE(square) > s->eps * s->eps ? real_sqrt(square) : s->eps;
        for (int64_t c = 0; c < width; c++) OUT(0)[r * width + c] = x[c] / length;
    }
}
