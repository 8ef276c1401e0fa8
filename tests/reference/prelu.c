#include "reference.h"

REFERENCE(prelu) {
    const int64_t channels = call->in_desc[1].dim[0];
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        const real x = IN(0)[i];
        OUT(0)[i] = RE(x) > 0 ? x : IN(1)[i % channels] * x;
    }
}
