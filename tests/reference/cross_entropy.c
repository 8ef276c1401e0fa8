#include "reference.h"

REFERENCE(cross_entropy) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const int64_t rows = call->in_desc[0].dim[0], columns = call->in_desc[0].dim[1];
    for (int64_t i = 0; i < rows; i++) {
        const real *row = IN(0) + i * columns;
        double most = RE(row[0]);
        real sum = 0;
        for (int64_t j = 0; j < columns; j++) most = fmax(most, RE(row[j]));
        for (int64_t j = 0; j < columns; j++) sum += real_exp(row[j] - most);
        const real lse = most + real_log(sum);
        OUT(0)[0] += (lse - row[i + a->loss.offset]) / (double)rows;
    }
}
