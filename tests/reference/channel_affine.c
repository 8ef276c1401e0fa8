#include "reference.h"

REFERENCE(channel_affine) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const real *x = IN(0), *mul = IN(1), *add = IN(2);
    const int64_t channels = call->in_desc[1].dim[0];
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        real v = x[i];
        if (RE(v) < (double)a->channel_affine.lowest) v = (double)a->channel_affine.lowest;
        if (RE(v) > (double)a->channel_affine.highest) v = (double)a->channel_affine.highest;
        OUT(0)[i] = v * mul[i % channels] + add[i % channels];
    }
}
