#include "reference.h"
#include "sequence_settings.h"

/* Straight from the formula, one number at a time. */
REFERENCE(attention) {
    const attention_settings *s = call->op->settings;
    int64_t tokens = call->in_desc[0].dim[1], channels = call->in_desc[0].dim[2] / 3;
    int64_t width = channels / s->heads;
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        int64_t n = i / (tokens * channels), query = i / channels % tokens, c = i % channels;
        const real *sequence = IN(0) + n * tokens * 3 * channels;
        int64_t first = c / width * width;
        real total = 0, weighted = 0;
        for (int64_t key = 0; key < tokens; key++) {
            if (s->causal && key > query) continue;
            real score = 0;
            for (int64_t d = first; d < first + width; d++)
                score += sequence[query * 3 * channels + d] *
                         sequence[key * 3 * channels + channels + d];
            real weight = real_exp(score / sqrt((double)width));
            total += weight;
            weighted += weight * sequence[key * 3 * channels + 2 * channels + c];
        }
        OUT(0)[i] = weighted / total;
    }
}
