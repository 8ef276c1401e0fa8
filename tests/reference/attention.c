#include "reference.h"
#include "sequence_settings.h"

/* One query of one head: y = sum exp(score) v / sum exp(score) over the keys it may see. */
static void attend(const attention_settings *s, const real *sequence, int64_t tokens,
                   int64_t channels, int64_t query, int64_t first, real *y) {
    const int64_t width = channels / s->heads;
    const int64_t keys = s->causal ? query + 1 : tokens;
    real total = 0;
    for (int64_t d = 0; d < width; d++) y[d] = 0;
    for (int64_t key = 0; key < keys; key++) {
        const real *q = sequence + query * 3 * channels + first;
        const real *k = sequence + key * 3 * channels + channels + first, *v = k + channels;
        real score = 0;
        for (int64_t d = 0; d < width; d++) score += q[d] * k[d];
        const real weight = real_exp(score / sqrt((double)width));
        total += weight;
        for (int64_t d = 0; d < width; d++) y[d] += weight * v[d];
    }
    for (int64_t d = 0; d < width; d++) y[d] /= total;
}

REFERENCE(attention) {
    const attention_settings *s = SETTINGS(attention_settings);
    const int64_t tokens = call->in_desc[0].dim[1], channels = call->in_desc[0].dim[2] / 3;
    for (int64_t row = 0; row < call->in_desc[0].dim[0] * tokens; row++)
        for (int64_t first = 0; first < channels; first += channels / s->heads)
            attend(s, IN(0) + row / tokens * tokens * 3 * channels, tokens, channels, row % tokens,
                   first, OUT(0) + row * channels + first);
}
