#include "train/sound_draws.h"
#include "base/free.h"
#include "base/random.h"
#include "sound/mel_augment.h"
#include "train/groups.h"
#include "train/in_parallel.h"
#include "train/left_out.h"
#include "train/sound_views.h"
#include "train/wave_cache.h"
#include <stdlib.h>

#define PURPOSE 0x486561u /* Philox key of what else is heard */
enum { OWN, EVENT, BACKGROUND, SOURCES };

struct chl_sound_draws {
    chl_dataset *data;
    chl_sound_augment augment;
    chl_wave_cache *cache; /* NULL: mel pictures are augmented, not waveforms */
    chl_groups label, group;
};

static chl_status sort_samples(chl_sound_draws *d) {
    const chl_dataset *data = d->data;
    int *number = malloc(sizeof *number * (size_t)(data->count + 1));
    if (!number) return chl_fail(CHL_ERR_MEMORY, "out of memory for groups of samples");
    for (int64_t i = 0; i < data->count; i++) number[i] = data->sample[i].label_id;
    chl_status status = chl_groups_sort(data->count, number, data->labels, &d->label);
    for (int64_t i = 0; i < data->count; i++) number[i] = data->sample[i].group_id;
    if (status == CHL_OK) status = chl_groups_sort(data->count, number, data->groups, &d->group);
    free(number);
    return status;
}

chl_status chl_sound_draws_new(chl_dataset *dataset, const chl_sound_augment *augment, bool in_mel,
                               int64_t bytes, chl_sound_draws **out) {
    *out = NULL;
    chl_sound_draws *d = calloc(1, sizeof *d);
    if (!d) return chl_fail(CHL_ERR_MEMORY, "out of memory for sounds");
    d->data = dataset;
    d->augment = *augment;
    chl_status status = sort_samples(d);
    if (status == CHL_OK && !in_mel) status = chl_wave_cache_new(dataset, bytes, &d->cache);
    CHL_HAND_OVER(status, d, out, chl_sound_draws_free);
}

void chl_sound_draws_free(chl_sound_draws *draws) {
    if (!draws) return;
    chl_wave_cache_free(draws->cache);
    chl_groups_free(&draws->label);
    chl_groups_free(&draws->group);
    free(draws);
}

/* --- what is heard ---------------------------------------------------------------------------- */
/* Another sample of the same label; -1 where there is none. */
static int64_t draw_event(const chl_sound_draws *d, uint32_t word, int64_t sample) {
    const int label = d->data->sample[sample].label_id;
    const int64_t others = chl_groups_size(&d->label, label) - 1;
    if (others < 1) return -1;
    const int64_t *member = chl_groups_of(&d->label, label);
    const int64_t pick = chl_random_below(word, others);
    return member[pick] == sample ? member[others] : member[pick];
}

/* A sample of another group, every group equally likely; -1 where there is none. */
static int64_t draw_background(const chl_sound_draws *d, const uint32_t word[2], int64_t sample) {
    const int own = d->data->sample[sample].group_id;
    if (own < 0 || d->group.count < 2) return -1;
    const int drawn = (int)chl_random_below(word[0], d->group.count - 1);
    const int group = drawn + (drawn >= own);
    return chl_groups_of(&d->group,
                         group)[chl_random_below(word[1], chl_groups_size(&d->group, group))];
}

/* heard [SOURCES]: samples; -1: nothing */
static void draw_others(const chl_sound_draws *d, uint64_t seed, int64_t step, int64_t element,
                        int64_t sample, int64_t heard[SOURCES]) {
    const chl_philox random = chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)element);
    bool event, background;
    chl_sound_augment_uses(&d->augment, seed, step, element, &event, &background);
    heard[OWN] = sample;
    heard[EVENT] = event ? draw_event(d, random.word[0], sample) : -1;
    heard[BACKGROUND] = background ? draw_background(d, random.word + 1, sample) : -1;
}

/* --- pictures --------------------------------------------------------------------------------- */
typedef struct batch {
    const chl_sound_draws *draws;
    const chl_view_settings *settings;
    uint64_t seed;
    int64_t step, first;
    int count, views; /* draws of a sample: 2, or 1 without the second input */
    float *mel[2];    /* [count][128][864] each */
    int64_t *heard;   /* [count][views][SOURCES]: samples; -1: nothing */
    chl_pcm *wave;    /* the same places; NULL: mel pictures */
    chl_mel_clip *clip;
} batch;

static bool is_level_meant(const batch *b, int i) {
    return b->draws->data->sample[b->heard[(int64_t)i * SOURCES + OWN]].strength_given;
}

static chl_status augment_wave(const batch *b, int i, float **mel, int64_t *frames) {
    const chl_pcm *wave = b->wave + (int64_t)i * SOURCES;
    const chl_augment_sources sources = {.own = wave[OWN],
                                         .event = wave[EVENT],
                                         .background = wave[BACKGROUND],
                                         .level_meant = is_level_meant(b, i)};
    int64_t samples;
    float *out = malloc(sizeof *out * CHL_AUGMENT_SAMPLES);
    if (!out) return chl_fail(CHL_ERR_MEMORY, "out of memory for a sound");
    chl_status status = chl_sound_augment_wave(&b->draws->augment, b->seed, b->step,
                                               b->first * b->views + i, &sources, out, &samples);
    if (status == CHL_OK)
        status = chl_mel_whole(chl_device_cpu(), out, samples, CHL_MEL_ABSOLUTE, mel, frames);
    free(out);
    return status;
}

static chl_status augment_mel(const batch *b, int i, float **mel, int64_t *frames) {
    const chl_mel_clip *clip = b->clip + (int64_t)i * SOURCES;
    const chl_mel_sources sources = {.own = clip[OWN],
                                     .event = clip[EVENT],
                                     .background = clip[BACKGROUND],
                                     .level_meant = is_level_meant(b, i)};
    *mel = malloc(sizeof **mel * CHL_VIEW_FLOATS);
    if (!*mel) return chl_fail(CHL_ERR_MEMORY, "out of memory for a mel picture");
    return chl_mel_augment(&b->draws->augment, b->seed, b->step, b->first * b->views + i, &sources,
                           *mel, frames);
}

/* The second input: the picture of its own draw, masked */
static chl_status make_view(const batch *b, int64_t place, const float *mel, int64_t frames,
                            float *view) {
    float *picture = malloc(sizeof *picture * CHL_VIEW_FLOATS);
    if (!picture) return chl_fail(CHL_ERR_MEMORY, "out of memory for a mel picture");
    chl_sound_views(b->settings, b->seed, b->step, place, mel, frames, picture, view);
    free(picture);
    return CHL_OK;
}

static chl_status make_input(void *user, int i) {
    const batch *b = user;
    const int row = i / b->views, which = i % b->views;
    const int64_t place = b->first + row;
    float *mel = NULL, *to = b->mel[which] + (int64_t)row * CHL_VIEW_FLOATS;
    int64_t frames;
    chl_status status =
        b->clip ? augment_mel(b, i, &mel, &frames) : augment_wave(b, i, &mel, &frames);
    if (status == CHL_OK && which == 0)
        chl_sound_views(b->settings, b->seed, b->step, place, mel, frames, to, NULL);
    else if (status == CHL_OK)
        status = make_view(b, place, mel, frames, to);
    free(mel);
    return status;
}

static int list_heard(const batch *b, int64_t *index) {
    int count = 0;
    for (int i = 0; i < b->count * b->views * SOURCES; i++)
        if (b->heard[i] >= 0) index[count++] = b->heard[i];
    return count;
}

/* Whether all samples' own sounds could be read. */
static bool all_own(const batch *b) {
    bool all = true;
    for (int i = OWN; i < b->count * b->views * SOURCES; i += SOURCES)
        all = all && (b->wave ? b->wave[i].data != NULL : b->clip[i].mel != NULL);
    return all;
}

/* Decodes what is heard, each at its place; what is unreadable has no data. */
static chl_status take_waves(chl_sound_draws *d, const batch *b, int count, const int64_t *index) {
    chl_pcm *taken = malloc(sizeof *taken * (size_t)(count + 1));
    if (!taken) return chl_fail(CHL_ERR_MEMORY, "out of memory for a batch");
    const chl_status status = chl_wave_cache_take(d->cache, count, index, taken);
    for (int i = 0, k = 0; status == CHL_OK && i < b->count * b->views * SOURCES; i++)
        b->wave[i] = b->heard[i] >= 0 ? taken[k++] : (chl_pcm){NULL, 0};
    free(taken);
    return status;
}

static chl_status take_mels(chl_sound_draws *d, const batch *b, int count, const int64_t *index) {
    const float **mel = malloc(sizeof *mel * (size_t)(count + 1));
    int64_t *frames = malloc(sizeof *frames * (size_t)(count + 1));
    chl_status status = mel && frames ? chl_dataset_mels(d->data, count, index, mel, frames)
                                      : chl_fail(CHL_ERR_MEMORY, "out of memory for a batch");
    for (int i = 0, k = 0; status == CHL_OK && i < b->count * b->views * SOURCES; i++) {
        const int at = b->heard[i] >= 0 ? k++ : -1;
        b->clip[i] = at >= 0 ? (chl_mel_clip){mel[at], frames[at]} : (chl_mel_clip){NULL, 0};
    }
    free(mel);
    free(frames);
    return status;
}

chl_status chl_sound_draws_make(chl_sound_draws *draws, const chl_view_settings *settings,
                                uint64_t seed, int64_t step, int64_t first, int count,
                                const int64_t *sample, float *mels, float *views, bool *made) {
    batch b = {.draws = draws,
               .settings = settings,
               .seed = seed,
               .step = step,
               .first = first,
               .count = count,
               .views = views ? 2 : 1,
               .mel = {mels, views}};
    const int inputs = count * b.views;
    const size_t places = (size_t)inputs * SOURCES;
    b.heard = calloc(places + 1, sizeof *b.heard);
    if (draws->cache)
        b.wave = calloc(places + 1, sizeof *b.wave);
    else
        b.clip = calloc(places + 1, sizeof *b.clip);
    int64_t *index = malloc(sizeof *index * (places + 1));
    chl_status status = CHL_OK;
    if (!b.heard || !index || (!b.wave && !b.clip))
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for a batch"));
    for (int i = 0; i < inputs; i++)
        draw_others(draws, seed, step, first * b.views + i, sample[i / b.views],
                    b.heard + (int64_t)i * SOURCES);
    const int heard = list_heard(&b, index);
    CHL_TRY_GOTO(b.wave ? take_waves(draws, &b, heard, index) : take_mels(draws, &b, heard, index));
    *made = all_own(&b);
    if (*made) CHL_TRY_GOTO(chl_in_parallel(inputs, make_input, &b));
done:
    CHL_FREE(b.heard, b.wave, b.clip, index);
    return status;
}
