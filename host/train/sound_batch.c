#include "train/sound_batch.h"
#include "base/options.h"
#include "models/audio_encoder.h"
#include "sound/mel.h"
#include "train/stand_in.h"
#include <string.h>

/* --- before the steps ------------------------------------------------------------------------- */
static chl_status read_settings(const chl_train_options *o, chl_sound_use use,
                                chl_view_settings *to) {
    const struct {
        const char *field;
        float value;
    } mask[] = {{"mask_bands", o->mask_bands}, {"mask_frames", o->mask_frames}};
    for (int i = 0; i < 2; i++)
        CHL_TRY(chl_check_float(mask[i].value >= 0 && mask[i].value <= 1, mask[i].field,
                                "in [0, 1]", (double)mask[i].value));
    *to =
        (chl_view_settings){.spec = chl_spec_augment_defaults(), .mask = use == CHL_SOUNDS_MASKED};
    to->spec.mask_bands = o->mask_bands;
    to->spec.mask_frames = o->mask_frames;
    to->repeat = chl_is_option(o->short_sounds, "repeat");
    if (o->short_sounds && !to->repeat && strcmp(o->short_sounds, "pad") != 0)
        return chl_fail(CHL_ERR_ARGUMENT, "short_sounds must be \"pad\" or \"repeat\", got \"%s\"",
                        o->short_sounds);
    return CHL_OK;
}

static chl_status begin_draws(const chl_trainer *t, chl_sound_batch *b) {
    const chl_train_options *o = t->options;
    const bool augment = o->augment && strcmp(o->augment, "none") != 0,
               in_mel = augment && strcmp(o->augment, "mel") == 0;
    if (augment && !in_mel && strcmp(o->augment, "sound") != 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "augment must be \"none\", \"sound\" or \"mel\", got \"%s\"", o->augment);
    CHL_TRY(chl_balance_new(t->data, o->balance, &b->balance));
    if (!augment) return CHL_OK;
    chl_sound_augment settings = chl_sound_augment_defaults();
    if (b->settings.repeat) settings.loop = 0; /* the picture repeats it */
    b->settings.mask = true;
    return chl_sound_draws_new(t->data, &settings, in_mel, chl_trainer_data_memory(o), &b->draws);
}

chl_status chl_sound_batch_new(chl_trainer *t, chl_sound_use use, chl_sound_batch **out) {
    const int64_t batch = t->batch;
    chl_sound_batch *b = *out = chl_trainer_memory(t, 1, sizeof *b);
    CHL_TRY(chl_trainer_memory_status(t));
    CHL_TRY(read_settings(t->options, use, &b->settings));
    CHL_TRY(begin_draws(t, b));
    b->sample = chl_trainer_memory(t, t->options->batch, sizeof *b->sample);
    b->frames = chl_trainer_memory(t, batch, sizeof *b->frames);
    b->sound = chl_trainer_memory(t, batch, sizeof *b->sound);
    b->mels = chl_trainer_memory(t, batch * CHL_VIEW_FLOATS, sizeof *b->mels);
    if (use == CHL_SOUNDS_VIEWED)
        b->views = chl_trainer_memory(t, batch * CHL_VIEW_FLOATS, sizeof *b->views);
    return chl_trainer_memory_status(t);
}

void chl_sound_batch_free(chl_sound_batch *batch) {
    if (!batch) return;
    chl_balance_free(batch->balance);
    chl_sound_draws_free(batch->draws);
}

chl_tensor *chl_sound_batch_input(chl_trainer *t, const char *name) {
    chl_tensor *input = chl_trainer_memory(t, t->chunks, sizeof *input);
    if (input)
        chl_trainer_inputs(t, name, chl_f32(4, t->batch, CHL_MEL_BANDS, CHL_MEL_FRAMES, 1), input);
    else
        chl_graph_fail(t->graph, CHL_ERR_MEMORY, "out of memory for inputs");
    return input;
}

/* --- one batch -------------------------------------------------------------------------------- */
static chl_status draw_samples(const chl_trainer *t, chl_sound_batch *b, int64_t step) {
    const chl_train_options *o = t->options;
    if (!b->balance) return chl_dataset_batch(t->data, o->seed, step, o->batch, b->sample);
    chl_balance_draw(b->balance, o->seed, step, o->batch, b->sample);
    return CHL_OK;
}

/* What the own places' sounds are now known to be. */
static chl_status replace_unreadable(const chl_trainer *t, chl_sound_batch *b,
                                     const chl_weak_pairs *pairs, int64_t step) {
    for (int64_t i = 0; i < t->batch; i++)
        CHL_TRY(chl_stand_in(t->data, pairs, b->balance, t->options->seed, step, t->first + i,
                             &b->sample[t->first + i]));
    return CHL_OK;
}

static chl_status make_sounds(const chl_trainer *t, chl_sound_batch *b, int64_t step, bool *made) {
    const uint64_t seed = t->options->seed;
    const int64_t batch = t->batch;
    if (b->draws)
        return chl_sound_draws_make(b->draws, &b->settings, seed, step, t->first, t->batch,
                                    b->sample + t->first, b->mels, b->views, made);
    CHL_TRY(chl_dataset_mels(t->data, t->batch, b->sample + t->first, b->sound, b->frames));
    *made = true;
    for (int64_t i = 0; i < batch; i++) *made = *made && b->sound[i];
    if (!*made) return CHL_OK;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < batch; i++)
        chl_sound_views(&b->settings, seed, step, t->first + i, b->sound[i], b->frames[i],
                        b->mels + i * CHL_VIEW_FLOATS,
                        b->views ? b->views + i * CHL_VIEW_FLOATS : NULL);
    return CHL_OK;
}

chl_status chl_sound_batch_make(chl_trainer *t, chl_sound_batch *batch, const chl_weak_pairs *pairs,
                                int64_t step) {
    bool made = false;
    CHL_TRY(draw_samples(t, batch, step));
    while (!made) { /* each time around another clip is known to be unreadable */
        CHL_TRY(replace_unreadable(t, batch, pairs, step));
        CHL_TRY(make_sounds(t, batch, step, &made));
    }
    return CHL_OK;
}

/* --- the result ------------------------------------------------------------------------------- */
static chl_status add_marker(chl_params *out, const char *name) {
    void *marker;
    CHL_TRY(chl_params_add(out, name, chl_f32(1, 1), &marker));
    *(float *)marker = 1;
    return CHL_OK;
}

chl_status chl_sound_batch_mark(const chl_sound_batch *batch, chl_params *out) {
    CHL_TRY(add_marker(out, CHL_MARKER_ABSOLUTE));
    return batch->settings.repeat ? add_marker(out, CHL_MARKER_REPEATED) : CHL_OK;
}
