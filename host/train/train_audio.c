/* The sound encoder, towards the frozen CLIP pair: the paper's four losses (Eq. 1-13).
 *
 * A step: mel pictures of the batch -> encoder -> a; their SpecAugmented views -> encoder -> a';
 * texts, paired pictures and weakly paired pictures come as embeddings (audio_targets.h), for CLIP is
 * frozen. A loss of weight 0 is not built, nor is what only it would look at. */
#include "base/options.h"
#include "losses/losses.h"
#include "nets/layers.h"
#include "train/audio_network.h"
#include "train/audio_targets.h"
#include "train/sound_batch.h"
#include "train/trainer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the audio-audio loss, fixed: the value at which CLIP starts [Radford et al. 2021] */
#define TAU_SOUND 0.07f

typedef struct audio {
    const chl_audio_network *network;
    void *config; /* the network's */
    chl_audio_targets *targets;
    chl_sound_batch *batch;
    chl_tensor *mel, *view;             /* [chunks]; view NULL without a loss that uses it */
    chl_tensor text, picture, partner;  /* CHL_NONE without a loss that uses it */
    chl_tensor mask;                    /* of the pictures; CHL_NONE where every sample has one */
    chl_tensor near;                    /* the same of the texts; CHL_NONE without near_texts */
    int64_t *pictured;                  /* [2][batch] of this rank: own pictures, partners */
    float *texts, *pictures, *partners; /* [batch][embed] */
    float *masks, *nears;               /* [batch][options->batch] */
} audio;

/* --- building --------------------------------------------------------------------------------- */
static chl_status check_options(const chl_train_options *o) {
    const struct {
        const char *field;
        float value;
    } weight[] = {{"weight_text", o->weight_text},
                  {"weight_image", o->weight_image},
                  {"weight_sound", o->weight_sound},
                  {"weight_weak_pair", o->weight_weak_pair},
                  {"weight_cosine", o->weight_cosine}};
    float sum = 0;
    for (int i = 0; i < 5; i++) {
        const float value = weight[i].value;
        CHL_TRY(
            chl_check_float(value >= 0 && isfinite(value), weight[i].field, ">= 0", (double)value));
        sum += value;
    }
    if (sum == 0)
        return chl_fail(CHL_ERR_ARGUMENT, "one of the losses must have a weight > 0, got 0");
    CHL_TRY(chl_check_int(o->batch >= 2, "batch", ">= 2 for a contrastive loss", o->batch));
    CHL_TRY(chl_check_float(o->near_texts >= 0 && o->near_texts <= 1, "near_texts", "in [0, 1]",
                            (double)o->near_texts));
    if (o->near_texts > 0 && o->weight_text == 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "near_texts must be left out, got %g: it needs weight_text > 0",
                        (double)o->near_texts);
    if (o->weight_weak_pair > 0)
        CHL_TRY(chl_check_float(o->tau_weak_pair > 0, "tau_weak_pair", "> 0",
                                (double)o->tau_weak_pair));
    return CHL_OK;
}

static chl_status new_buffers(chl_trainer *t, audio *own) {
    const int64_t batch = t->batch, embed = own->targets->embed;
    own->pictured = chl_trainer_memory(t, 2 * batch, sizeof *own->pictured);
    own->texts = chl_trainer_memory(t, batch * embed, sizeof *own->texts);
    own->pictures = chl_trainer_memory(t, batch * embed, sizeof *own->pictures);
    own->partners = chl_trainer_memory(t, batch * embed, sizeof *own->partners);
    own->masks = chl_trainer_memory(t, batch * t->options->batch, sizeof *own->masks);
    own->nears = chl_trainer_memory(t, batch * t->options->batch, sizeof *own->nears);
    return chl_trainer_memory_status(t);
}

/* mel [n,128,864,1] -> embeddings [n,D] */
static chl_tensor encode(chl_trainer *t, chl_net *net, int view, int chunk) {
    const audio *own = t->own;
    const chl_tensor mel = (view ? own->view : own->mel)[chunk];
    return chl_unit_rows(t->graph, own->network->head(t, net, own->config, view, mel));
}

static chl_tensor target(chl_trainer *t, const char *name) {
    const audio *own = t->own;
    return chl_input(t->graph, name, chl_f32(2, t->batch, own->targets->embed));
}

/* Eq. 13. A sample without any picture is left out of the two losses that look at pictures. */
static void add_losses(chl_trainer *t, chl_net *net, chl_tensor a) {
    audio *own = t->own;
    const chl_train_options *o = t->options;
    chl_graph *g = t->graph;
    const chl_shared_rows sound = chl_share_rows(g, a);
    if (own->targets->some_left_out)
        own->mask = chl_input(g, "mask", chl_f32(2, t->batch, o->batch));
    if (o->weight_text > 0 || o->weight_weak_pair > 0 || o->weight_cosine > 0)
        own->text = target(t, "text");
    if (o->weight_cosine > 0)
        chl_trainer_term(t, "cosine", o->weight_cosine,
                         chl_mean(g, chl_cosine_loss(g, a, own->text)));
    if (o->weight_text > 0) {
        chl_tensor scale = chl_weight(net, "logit_scale_at");
        const chl_shared_rows text = chl_share_rows(g, own->text);
        if (o->near_texts > 0)
            own->near = chl_input(g, "near texts", chl_f32(2, t->batch, o->batch));
        chl_trainer_term(t, "text", o->weight_text,
                         chl_masked_contrastive_loss(g, sound, text, scale, own->near));
    }
    if (o->weight_image > 0) {
        own->picture = target(t, "picture");
        chl_tensor scale = chl_weight(net, "logit_scale_ai");
        const chl_shared_rows picture = chl_share_rows(g, own->picture);
        chl_trainer_term(t, "image", o->weight_image,
                         chl_masked_contrastive_loss(g, sound, picture, scale, own->mask));
    }
    if (o->weight_sound > 0) {
        const float log_scale = logf(1 / TAU_SOUND);
        chl_tensor scale = chl_constant(g, "scale of sounds", chl_f32(1, 1), &log_scale);
        own->view = chl_sound_batch_input(t, "view");
        if (!own->view) return;
        const chl_shared_rows view = chl_share_rows(g, chl_trainer_rows(t, encode, true));
        chl_trainer_term(t, "sound", o->weight_sound,
                         chl_shared_contrastive_loss(g, sound, view, scale));
    }
    if (o->weight_weak_pair > 0) {
        own->partner = target(t, "partner");
        chl_trainer_term(
            t, "weak_pair", o->weight_weak_pair,
            chl_masked_weak_pair_loss(g, own->text, a, own->partner, o->tau_weak_pair, own->mask));
    }
}

static chl_status audio_build(chl_trainer *t) {
    CHL_TRY(check_options(t->options));
    audio *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    own->text = own->picture = own->partner = own->mask = own->near = CHL_NONE;
    CHL_TRY(chl_sound_batch_new(
        t, t->options->weight_sound > 0 ? CHL_SOUNDS_VIEWED : CHL_SOUNDS_PLAIN, &own->batch));
    CHL_TRY(chl_audio_network_find(t->options->encoder, &own->network));
    CHL_TRY(chl_audio_targets_new(t, &own->targets));
    CHL_TRY(own->network->begin(t, own->targets->embed, &own->config));
    CHL_TRY(new_buffers(t, own));
    chl_net *net = chl_trainer_net(t);
    own->mel = chl_sound_batch_input(t, "mel");
    if (!own->mel) return chl_graph_status(t->graph);
    const chl_tensor a = chl_trainer_rows(t, encode, false);
    add_losses(t, net, a);
    return chl_graph_status(t->graph);
}

/* --- one batch -------------------------------------------------------------------------------- */
static void copy_row(const audio *own, float *rows, int64_t place, const float *from) {
    const int64_t embed = own->targets->embed;
    memcpy(rows + place * embed, from, sizeof(float) * (size_t)embed);
}

/* picture -1: there is none; the mask leaves the row out. */
static void copy_picture(const audio *own, float *rows, int64_t place, int64_t picture) {
    const int64_t embed = own->targets->embed;
    if (picture >= 0)
        copy_row(own, rows, place, chl_audio_picture(own->targets, picture));
    else
        memset(rows + place * embed, 0, sizeof(float) * (size_t)embed);
}

/* Whose pictures the own places are compared with; -1: none. */
static chl_status draw_pictures(const chl_trainer *t, int64_t step) {
    audio *own = t->own;
    const uint64_t seed = t->options->seed;
    const chl_weak_pairs *pairs = own->targets->pairs;
    for (int64_t i = 0; i < t->batch; i++) {
        const int64_t place = t->first + i, sample = own->batch->sample[place];
        own->pictured[i] =
            own->picture == CHL_NONE ? -1 : chl_weak_pairs_borrow(pairs, seed, step, place, sample);
        own->pictured[t->batch + i] =
            own->partner == CHL_NONE ? -1 : chl_weak_pairs_draw(pairs, seed, step, place, sample);
    }
    return own->targets->made
               ? chl_audio_need_pictures(own->targets, 2 * (int64_t)t->batch, own->pictured)
               : CHL_OK;
}

static void draw_targets(const chl_trainer *t, int64_t step) {
    audio *own = t->own;
    const uint64_t seed = t->options->seed;
    for (int64_t i = 0; i < t->batch; i++) {
        const int64_t place = t->first + i, sample = own->batch->sample[place];
        if (own->text != CHL_NONE)
            copy_row(own, own->texts, i,
                     chl_audio_text(own->targets, seed, step, place, &t->data->sample[sample]));
        if (own->picture != CHL_NONE) copy_picture(own, own->pictures, i, own->pictured[i]);
        if (own->partner != CHL_NONE)
            copy_picture(own, own->partners, i, own->pictured[t->batch + i]);
    }
}

/* Which of own rows and all columns are compared: those of two samples with pictures, and each with
 * itself. */
static void draw_mask(const chl_trainer *t) {
    const audio *own = t->own;
    const chl_weak_pairs *pairs = own->targets->pairs;
    const int64_t all = t->options->batch;
    for (int64_t i = 0; i < t->batch; i++)
        for (int64_t j = 0; j < all; j++) {
            const bool both = chl_weak_pairs_pictured(pairs, own->batch->sample[t->first + i]) &&
                              chl_weak_pairs_pictured(pairs, own->batch->sample[j]);
            own->masks[i * all + j] = both || t->first + i == j ? 0 : CHL_LEFT_OUT;
        }
}

/* Whose texts are no negatives of own rows: those that say the same, but a row's own. */
static void draw_near(const chl_trainer *t, int64_t step) {
    const audio *own = t->own;
    const uint64_t seed = t->options->seed;
    const int64_t all = t->options->batch, embed = own->targets->embed;
    for (int64_t j = 0; j < all; j++) {
        const float *text =
            chl_audio_text(own->targets, seed, step, j, &t->data->sample[own->batch->sample[j]]);
        for (int64_t i = 0; i < t->batch; i++) {
            double cosine = 0;
            for (int64_t k = 0; k < embed; k++)
                cosine += (double)own->texts[i * embed + k] * (double)text[k];
            const bool near = t->first + i != j && cosine >= (double)t->options->near_texts;
            own->nears[i * all + j] = near ? CHL_LEFT_OUT : 0;
        }
    }
}

static chl_status write_if(chl_trainer *t, chl_tensor input, const float *data) {
    return input == CHL_NONE ? CHL_OK : chl_trainer_write(t, input, data);
}

static chl_status audio_feed(chl_trainer *t, int64_t index) {
    audio *own = t->own;
    chl_dataset_next_batch(t->data);
    CHL_TRY(chl_sound_batch_make(t, own->batch, own->targets->pairs, index));
    CHL_TRY(draw_pictures(t, index));
    draw_targets(t, index);
    if (own->mask != CHL_NONE) draw_mask(t);
    if (own->near != CHL_NONE) draw_near(t, index);
    CHL_TRY(chl_trainer_write_inputs(t, own->mel, own->batch->mels));
    if (own->view) CHL_TRY(chl_trainer_write_inputs(t, own->view, own->batch->views));
    CHL_TRY(write_if(t, own->text, own->texts));
    CHL_TRY(write_if(t, own->picture, own->pictures));
    CHL_TRY(write_if(t, own->mask, own->masks));
    CHL_TRY(write_if(t, own->near, own->nears));
    return write_if(t, own->partner, own->partners);
}

/* --- the result ------------------------------------------------------------------------------- */
static chl_status audio_save(chl_trainer *t, chl_params *out) {
    const audio *own = t->own;
    CHL_TRY(chl_trainer_export(t, t->params, out));
    return chl_sound_batch_mark(own->batch, out);
}

static void audio_release(chl_trainer *t) {
    const audio *own = t->own;
    chl_audio_targets_free(own->targets);
    chl_sound_batch_free(own->batch);
}

/* docs/method.md, sections 1 and 3; the rate is for the default sizes, 3e-4 suits Swin-T */
const chl_training chl_training_audio = {
    .name = "audio",
    .need = CHL_NEED_SOUND,
    .reads = CHL_READS_OPTIMISER
    "encoder sizes clip vocab wordnet weight_text weight_image weight_sound "
    "weight_weak_pair tau_weak_pair mask_bands mask_frames augment balance short_sounds "
    "cache cache_mels micro_batch near_texts weight_cosine",
    .usual = {.steps = 500, .batch = 64, .rate = 2e-3f, .average = 0.99f},
    .build = audio_build,
    .feed = audio_feed,
    .save = audio_save,
    .release = audio_release,
    .shared = true,
};
