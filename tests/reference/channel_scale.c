#include "reference.h"

REFERENCE(channel_scale) {
    const int64_t samples = call->in_desc[1].dim[0], channels = call->in_desc[1].dim[1];
    const int64_t count = chl_count(&call->out_desc[0]);
    for (int64_t i = 0; i < count; i++) {
        const int64_t n = i / (count / samples), c = i % channels;
        OUT(0)[i] = IN(0)[i] * IN(1)[n * channels + c];
    }
}
