#include "reference.h"
#include "sequence_settings.h"

/* y = bias + sum_i c[i] x[i] */
REFERENCE(sum) {
    const sum_settings *s = SETTINGS(sum_settings);
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        OUT(0)[i] = s->bias;
        for (int k = 0; k < s->count; k++) OUT(0)[i] += s->c[k] * IN(s->same ? 0 : k)[i];
    }
}
