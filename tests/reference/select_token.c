#include "reference.h"
#include "sequence_settings.h"

REFERENCE(select_token) {
    const token_settings *s = SETTINGS(token_settings);
    int64_t tokens = call->in_desc[0].dim[1], width = call->in_desc[0].dim[2];
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        int64_t n = i / width;
        int64_t t = call->op->inputs > 1 ? (int64_t)RE(IN(1)[n]) : s->number;
        OUT(0)[i] = IN(0)[(n * tokens + t) * width + i % width];
    }
}
