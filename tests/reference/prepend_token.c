#include "reference.h"

REFERENCE(prepend_token) {
    int64_t tokens = call->out_desc[0].dim[1], width = call->out_desc[0].dim[2];
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        int64_t n = i / width / tokens, t = i / width % tokens, c = i % width;
        OUT(0)[i] = t == 0 ? IN(1)[c] : IN(0)[(n * (tokens - 1) + t - 1) * width + c];
    }
}
