#include "train/augment_picture.h"
#include "base/random.h"
#include <math.h>
#include <stdbool.h>

/* Drawn once per picture. */
typedef struct drawn {
    float scale, x, y;        /* source = scale * target + x, in pixels */
    float gain, shift, noise; /* value = gain * value + shift + noise * normal */
    float blur;               /* weight of the blurred picture */
    uint64_t stream;          /* of the noise */
} drawn;

static drawn draw(const chl_picture_augment *how, uint64_t seed, uint32_t purpose, int64_t index,
                  int64_t element, int side) {
    float u[8];
    chl_philox word[3];
    for (int i = 0; i < 3; i++)
        word[i] = chl_random(seed, purpose, (uint64_t)index, 3 * (uint64_t)element + (uint64_t)i);
    for (int i = 0; i < 8; i++) u[i] = chl_uniform(word[i / 4].word[i % 4]);
    drawn d = {.scale = 1 - how->zoom * u[0],
               .gain = 1 + how->contrast * (2 * u[3] - 1),
               .shift = how->brightness * (2 * u[4] - 1),
               .noise = how->noise * u[5],
               .blur = u[6] < how->blur ? u[7] : 0,
               .stream = (uint64_t)word[2].word[0] << 32 | word[2].word[1]};
    const float room = (1 - d.scale) * (float)side;
    /* pixel centres stand at i + 1/2 */
    d.x = room * u[1] + 0.5f * d.scale - 0.5f;
    d.y = room * u[2] + 0.5f * d.scale - 0.5f;
    return d;
}

static int within(int i, int side) {
    return i < 0 ? 0 : i >= side ? side - 1 : i;
}

/* Bilinear; a picture is read row by row, each target row from two source rows. */
static void zoom(const drawn *d, int side, const uint8_t *pixels, float *out) {
    for (int y = 0; y < side; y++) {
        const float at_y = d->scale * (float)y + d->y, low_y = floorf(at_y), part_y = at_y - low_y;
        const uint8_t *above = pixels + 3 * (int64_t)side * within((int)low_y, side);
        const uint8_t *below = pixels + 3 * (int64_t)side * within((int)low_y + 1, side);
        float *row = out + 3 * (int64_t)side * y;
        for (int x = 0; x < side; x++) {
            const float at = d->scale * (float)x + d->x, low = floorf(at), part = at - low;
            const int left = 3 * within((int)low, side), right = 3 * within((int)low + 1, side);
            for (int c = 0; c < 3; c++) {
                float top = above[left + c] + part * (float)(above[right + c] - above[left + c]);
                float bottom = below[left + c] + part * (float)(below[right + c] - below[left + c]);
                row[3 * x + c] = (top + part_y * (bottom - top)) / 127.5f - 1;
            }
        }
    }
}

/* [1 2 1] / 4 along one axis, in place, mixed with the picture itself by the blur's weight. Along a
 * line of `count` pixels that lie `stride` floats apart; the ends are repeated. */
static void blur_line(float weight, int count, int64_t stride, float *line) {
    float before = line[0];
    for (int i = 0; i < count; i++) {
        float here = line[i * stride], after = i + 1 < count ? line[(i + 1) * stride] : here;
        line[i * stride] = here + weight * (0.25f * (before + after) - 0.5f * here);
        before = here;
    }
}

static void blur(float weight, int side, float *out) {
    const int64_t row = 3 * (int64_t)side;
    for (int y = 0; y < side; y++)
        for (int c = 0; c < 3; c++) blur_line(weight, side, 3, out + row * y + c);
    for (int64_t i = 0; i < row; i++) blur_line(weight, side, row, out + i);
}

/* SplitMix64 [Steele et al. 2014]: the noise needs many numbers and no high quality. The sum of
 * four bytes is close to normal: its mean is 510, its variance (256^2 - 1) / 3. */
static float noise_of(uint32_t word) {
    const uint32_t halves = (word & 0x00ff00ffu) + (word >> 8 & 0x00ff00ffu);
    return ((float)((halves & 0xffff) + (halves >> 16)) - 510) * (1 / 147.80f);
}

static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void colour(const drawn *d, int64_t count, float *out) {
    uint64_t state = d->stream;
    for (int64_t i = 0; i < count; i += 2) {
        uint64_t word = next(&state);
        const float noise[2] = {noise_of((uint32_t)word), noise_of((uint32_t)(word >> 32))};
        for (int k = 0; k < 2 && i + k < count; k++)
            out[i + k] = fminf(fmaxf(d->gain * out[i + k] + d->shift + d->noise * noise[k], -1), 1);
    }
}

void chl_augment_picture(const chl_picture_augment *how, uint64_t seed, uint32_t purpose,
                         int64_t index, int64_t element, int side, const uint8_t *pixels,
                         float *out) {
    const drawn d = draw(how, seed, purpose, index, element, side);
    zoom(&d, side, pixels, out);
    if (d.blur > 0) blur(d.blur, side, out);
    colour(&d, 3 * (int64_t)side * side, out);
}
