#include "reference.h"
#include "sequence_settings.h"
#include <stdlib.h>

typedef struct swin {
    const attention_settings *s;
    int64_t height, width, channels;
    const real *table;
} swin;

/* Swin's own steps: the rolled map, cut into windows, keeps for each pixel the region it came from.
 */
static int64_t region(int64_t y, int64_t x, const swin *m) {
    int64_t w = m->s->window, s = m->s->shift;
    int64_t row = y < m->height - w ? 0 : y < m->height - s ? 1 : 2;
    int64_t column = x < m->width - w ? 0 : x < m->width - s ? 1 : 2;
    return 3 * row + column;
}

/* One head's output for the pixel (y, x) of the rolled map [H,W,3C]. */
static void attend(const real *map, const swin *m, int64_t y, int64_t x, int64_t head, real *out) {
    int64_t w = m->s->window, c = m->channels, d = c / m->s->heads, first = head * d;
    const real *q = map + (y * m->width + x) * 3 * c + first;
    real total = 0;
    for (int64_t i = 0; i < d; i++) out[i] = 0;
    for (int64_t ky = y / w * w; ky < y / w * w + w; ky++)
        for (int64_t kx = x / w * w; kx < x / w * w + w; kx++) {
            const real *k = map + (ky * m->width + kx) * 3 * c + c + first, *v = k + c;
            real score =
                m->table[((y - ky + w - 1) * (2 * w - 1) + x - kx + w - 1) * m->s->heads + head];
            for (int64_t i = 0; i < d; i++) score += q[i] * k[i] / sqrt((double)d);
            if (m->s->shift && region(y, x, m) != region(ky, kx, m)) score -= 100;
            real weight = real_exp(score);
            total += weight;
            for (int64_t i = 0; i < d; i++) out[i] += weight * v[i];
        }
    for (int64_t i = 0; i < d; i++) out[i] /= total;
}

REFERENCE(window_attention) {
    const chl_desc *shape = &call->in_desc[0];
    swin m = {SETTINGS(attention_settings), shape->dim[1], shape->dim[2], shape->dim[3] / 3, IN(1)};
    int64_t pixels = m.height * m.width, triple = 3 * m.channels, width = m.channels / m.s->heads;
    real *rolled = NEW_REALS(pixels * triple);
    for (int64_t n = 0; n < shape->dim[0]; n++) {
        const real *map = IN(0) + n * pixels * triple;
        real *y = OUT(0) + n * pixels * m.channels;
        for (int64_t i = 0; i < pixels * triple; i++) {
            int64_t row = (i / triple / m.width + m.s->shift) % m.height;
            int64_t column = (i / triple % m.width + m.s->shift) % m.width;
            rolled[i] = map[(row * m.width + column) * triple + i % triple];
        }
        for (int64_t p = 0; p < pixels; p++) {
            int64_t row = (p / m.width + m.s->shift) % m.height;
            int64_t column = (p % m.width + m.s->shift) % m.width;
            for (int64_t h = 0; h < m.s->heads; h++)
                attend(rolled, &m, p / m.width, p % m.width, h,
                       y + (row * m.width + column) * m.channels + h * width);
        }
    }
    free(rolled);
}
