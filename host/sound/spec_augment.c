#include "sound/spec_augment.h"
#include "base/random.h"
#include <string.h>

#define PURPOSE 0x53706563u /* Philox key of these draws */
enum { DRAW_BANDS, DRAW_FRAMES, DRAW_WARP, DRAWS };

chl_spec_augment chl_spec_augment_defaults(void) {
    return (chl_spec_augment){.mask_bands = 0.15f, .mask_frames = 0.3f, .warp = 0.05f};
}

/* An integer in [0, max], each equally likely. */
static int64_t draw_up_to(uint32_t word, int64_t max) {
    return chl_random_below(word, max + 1);
}

/* mel and view [CHL_MEL_BANDS][stride], the first `frames` of each row. */
typedef struct picture {
    int64_t frames, stride;
    const float *mel; /* NULL: view is masked where it is */
    float *view;
} picture;

/* Warps time piecewise linearly: the ends stay, frame `centre` moves to `centre + shift`. */
static void warp_frames(const picture *p, int64_t centre, int64_t shift) {
    const int64_t last = p->frames - 1, goal = centre + shift;
    const float before = (float)centre / (float)goal;
    const float after = (float)(last - centre) / (float)(last - goal);
    for (int64_t band = 0; band < CHL_MEL_BANDS; band++) {
        const float *mel = p->mel + band * p->stride;
        float *view = p->view + band * p->stride;
        for (int64_t t = 0; t < p->frames; t++) {
            float from = t <= goal ? (float)t * before : (float)last - (float)(last - t) * after;
            int64_t left = (int64_t)from;
            if (left > last - 1) left = last - 1;
            float share = from - (float)left;
            view[t] = mel[left] * (1 - share) + mel[left + 1] * share;
        }
    }
}

/* The centre is further from both ends than the largest shift, so that neither part becomes empty.
 * A picture too short for that is copied. */
static void warp(const chl_spec_augment *settings, chl_philox random, const picture *p) {
    int64_t max = (int64_t)(settings->warp * (float)p->frames);
    int64_t inner = p->frames - 2 * (max + 1);
    if (max >= 1 && inner >= 1) {
        int64_t centre = max + 1 + draw_up_to(random.word[0], inner - 1);
        warp_frames(p, centre, draw_up_to(random.word[1], 2 * max) - max);
        return;
    }
    for (int64_t band = 0; band < CHL_MEL_BANDS; band++)
        memcpy(p->view + band * p->stride, p->mel + band * p->stride,
               sizeof(float) * (size_t)p->frames);
}

/* Draws the width and the position of a mask inside `whole`. */
static void draw_mask(const uint32_t word[2], float share, int64_t whole, int64_t *from,
                      int64_t *count) {
    *count = draw_up_to(word[0], (int64_t)(share * (float)whole));
    *from = draw_up_to(word[1], whole - *count);
}

static void clear(const picture *p, int64_t band, int64_t bands, int64_t frame, int64_t frames) {
    for (int64_t b = band; b < band + bands; b++)
        memset(p->view + b * p->stride + frame, 0, sizeof(float) * (size_t)frames);
}

static void mask(const chl_spec_augment *settings, const chl_philox *random, const picture *p) {
    for (int i = 0; i < CHL_SPEC_MASKS; i++) {
        int64_t from, count;
        draw_mask(random[DRAW_BANDS].word + 2 * i, settings->mask_bands, CHL_MEL_BANDS, &from,
                  &count);
        clear(p, from, count, 0, p->frames);
        draw_mask(random[DRAW_FRAMES].word + 2 * i, settings->mask_frames, p->frames, &from,
                  &count);
        clear(p, 0, CHL_MEL_BANDS, from, count);
    }
}

static void draw(uint64_t seed, int64_t index, int64_t sample, chl_philox random[DRAWS]) {
    for (int i = 0; i < DRAWS; i++)
        random[i] =
            chl_random(seed, PURPOSE, (uint64_t)index, (uint64_t)sample * DRAWS + (uint64_t)i);
}

void chl_spec_augment_view(const chl_spec_augment *settings, uint64_t seed, int64_t index,
                           int64_t sample, int64_t frames, int64_t stride, const float *mel,
                           float *view) {
    const picture p = {frames, stride, mel, view};
    chl_philox random[DRAWS];
    draw(seed, index, sample, random);
    warp(settings, random[DRAW_WARP], &p);
    mask(settings, random, &p);
}

void chl_spec_augment_mask(const chl_spec_augment *settings, uint64_t seed, int64_t index,
                           int64_t sample, int64_t frames, int64_t stride, float *mel) {
    const picture p = {frames, stride, NULL, mel};
    chl_philox random[DRAWS];
    draw(seed, index, sample, random);
    mask(settings, random, &p);
}
