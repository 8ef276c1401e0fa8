#include "reference.h"

REFERENCE(mean_pool) {
    const int64_t samples = call->out_desc[0].dim[0], channels = call->out_desc[0].dim[1];
    const int64_t count = chl_count(&call->in_desc[0]), pixels = count / samples / channels;
    for (int64_t i = 0; i < count; i++) {
        const int64_t n = i / (pixels * channels);
        OUT(0)[n * channels + i % channels] += IN(0)[i] / (double)pixels;
    }
}
