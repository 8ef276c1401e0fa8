/* The sound encoder, towards the frozen CLIP pair: the paper's four losses (Eq. 1-13).
 *
 * A step: mel pictures of the batch -> Swin -> a; their SpecAugmented views -> Swin -> a'; texts,
 * paired pictures and weakly paired pictures come as embeddings (audio_targets.h), for CLIP is
 * frozen. A loss of weight 0 is not built, nor is what only it would look at. */
#include "base/options.h"
#include "losses/losses.h"
#include "nets/swin.h"
#include "train/audio_targets.h"
#include "train/sizes.h"
#include "train/sound_views.h"
#include "train/trainer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Philox keys of drop path: two per block and application of the network */
#define PURPOSE_DROP 0x44000000u
#define PURPOSE_DROP_VIEW 0x44010000u
/* The last block's drop-path rate in Swin-T [Liu et al. 2021]; smaller networks underfit first. */
#define DROP_PATH_TINY 0.1f
/* Initial weights of a narrow network (start_narrow). */
#define START_GAIN 0.7f
#define START_LEVEL 0.35f
#define SWIN_DEVIATION 0.02f /* of chl_swin_random's matrices */
/* Of the audio-audio loss, fixed: the value at which CLIP starts [Radford et al. 2021] */
#define TAU_SOUND 0.07f

typedef struct audio {
    chl_swin_config config;
    chl_audio_targets *targets;
    chl_tensor mel, view, text, picture, partner; /* CHL_NONE without a loss that uses it */
    int64_t *sample;                              /* [options->batch]: this step's, of all ranks */
    /* [batch] of this rank: mel pictures, whole */
    const float **sound;
    int64_t *frames;
    float *mels, *views;                /* [batch][128][864] */
    float *texts, *pictures, *partners; /* [batch][embed] */
} audio;

/* --- sizes ------------------------------------------------------------------------------------ */
static bool is_tiny(const char *sizes) {
    return sizes && !strcmp(sizes, "tiny");
}

/* "tiny", or keys on top of the default below, which trains on two cores in minutes: patches of 8
 * make three stages of 28, 14 and 7 patches a side. */
static chl_status read_sizes(const char *text, chl_swin_config *config) {
    *config = chl_swin_tiny();
    config->drop_path = DROP_PATH_TINY;
    if (is_tiny(text)) return CHL_OK;
    int heads = 3, window = 7;
    *config = (chl_swin_config){.resolution = CHL_MEL_SIDE,
                                .channels = 1,
                                .patch = 8,
                                .embed = 48,
                                .stages = 3,
                                .depth = {2, 2, 2},
                                .heads = {3, 6, 12}};
    const chl_size_key keys[] = {
        {"patch", &config->patch, .min = 1, .max = CHL_MEL_SIDE},
        {"embed", &config->embed, .min = 1, .max = 1024},
        {"depths", config->depth, CHL_SWIN_STAGES, &config->stages, 1, 64},
        {"heads", config->heads, CHL_SWIN_STAGES, &heads, 1, 256},
        {"window", &window, .min = 1, .max = CHL_MEL_SIDE},
    };
    CHL_TRY(chl_sizes_read(text, keys, (int)(sizeof keys / sizeof keys[0])));
    if (heads != config->stages)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "sizes: heads must have as many numbers as depths, %d, got %d",
                        config->stages, heads);
    for (int s = 0; s < config->stages; s++) {
        const int width = config->embed << s, side = config->resolution / config->patch >> s;
        if (width % config->heads[s] || side < 1)
            return chl_fail(
                CHL_ERR_ARGUMENT,
                "sizes: stage %d must have channels in a multiple of its heads and >= 1 patch a "
                "side, got %d channels, %d heads, %d patches",
                s, width, config->heads[s], side);
        config->window[s] = side < window ? side : window;
    }
    return CHL_OK;
}

/* Swin's deviation of 0.02 suits rows of several hundred numbers. With 48, a residual branch would
 * begin at some hundredths of what it is added to, and the network as a linear map; so each matrix
 * begins with deviation START_GAIN / sqrt(row length). The bias of the first layer centres the
 * pictures, whose values are in [0,1]. Measured on ten kinds of sound, batch 32, text loss after 80
 * steps: 5.8 with both and rate 2e-3, 6.2 without either at rates 1e-3 and 3e-3; guessing is 2 ln
 * 32 = 6.9. */
static void start_narrow(chl_params *params) {
    for (int64_t i = 0; i < params->count; i++) {
        chl_array *array = &params->array[i];
        if (array->desc.rank != 2 || strstr(array->name, "relative_position")) continue;
        const float factor = START_GAIN / (SWIN_DEVIATION * sqrtf((float)array->desc.dim[1]));
        float *w = array->data;
        for (int64_t k = 0; k < chl_count(&array->desc); k++) w[k] *= factor;
    }
    const chl_array *filters = chl_params_find(params, "patch_embed.proj.weight");
    float *bias = chl_params_find(params, "patch_embed.proj.bias")->data;
    const int64_t out = filters->desc.dim[0], taps = chl_count(&filters->desc) / out;
    const float *w = filters->data;
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < taps; k++) bias[o] -= START_LEVEL * w[o * taps + k];
}

/* --- building --------------------------------------------------------------------------------- */
static chl_status check_options(const chl_train_options *o) {
    const struct {
        const char *field;
        float value;
    } weight[] = {{"weight_text", o->weight_text},
                  {"weight_image", o->weight_image},
                  {"weight_sound", o->weight_sound},
                  {"weight_weak_pair", o->weight_weak_pair}},
      mask[] = {{"mask_bands", o->mask_bands}, {"mask_frames", o->mask_frames}};
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        const float value = weight[i].value;
        CHL_TRY(
            chl_check_float(value >= 0 && isfinite(value), weight[i].field, ">= 0", (double)value));
        sum += value;
    }
    if (sum == 0)
        return chl_fail(CHL_ERR_ARGUMENT, "one of the four losses must have a weight > 0, got 0");
    CHL_TRY(chl_check_int(o->batch >= 2, "batch", ">= 2 for a contrastive loss", o->batch));
    if (o->weight_weak_pair > 0)
        CHL_TRY(chl_check_float(o->tau_weak_pair > 0, "tau_weak_pair", "> 0",
                                (double)o->tau_weak_pair));
    for (int i = 0; i < 2; i++)
        CHL_TRY(chl_check_float(mask[i].value >= 0 && mask[i].value <= 1, mask[i].field,
                                "in [0, 1]", (double)mask[i].value));
    return CHL_OK;
}

static chl_status new_buffers(chl_trainer *t, audio *own) {
    const int64_t batch = t->batch, embed = own->targets->embed;
    own->sample = chl_trainer_memory(t, t->options->batch, sizeof *own->sample);
    own->frames = chl_trainer_memory(t, batch, sizeof *own->frames);
    own->sound = chl_trainer_memory(t, batch, sizeof *own->sound);
    own->mels = chl_trainer_memory(t, batch * CHL_VIEW_FLOATS, sizeof *own->mels);
    own->views = chl_trainer_memory(t, batch * CHL_VIEW_FLOATS, sizeof *own->views);
    own->texts = chl_trainer_memory(t, batch * embed, sizeof *own->texts);
    own->pictures = chl_trainer_memory(t, batch * embed, sizeof *own->pictures);
    own->partners = chl_trainer_memory(t, batch * embed, sizeof *own->partners);
    return chl_trainer_memory_status(t);
}

/* mel [N,128,864,1] as input -> embeddings [N,D] */
static chl_tensor encode(chl_trainer *t, chl_net *net, const char *name, uint32_t purpose,
                         chl_tensor *input) {
    audio *own = t->own;
    *input = chl_input(t->graph, name, chl_f32(4, t->batch, CHL_MEL_BANDS, CHL_MEL_FRAMES, 1));
    const int side = own->config.resolution;
    chl_tensor x = chl_resize(t->graph, *input, CHL_FILTER_BILINEAR, side, side), embedding;
    own->config.purpose = purpose;
    chl_swin(net, &own->config, x, NULL, &embedding);
    return embedding;
}

static chl_tensor target(chl_trainer *t, const char *name) {
    const audio *own = t->own;
    return chl_input(t->graph, name, chl_f32(2, t->batch, own->targets->embed));
}

/* Eq. 13 */
static void add_losses(chl_trainer *t, chl_net *net, chl_tensor a) {
    audio *own = t->own;
    const chl_train_options *o = t->options;
    chl_graph *g = t->graph;
    const chl_shared_rows sound = chl_share_rows(g, a);
    if (o->weight_text > 0 || o->weight_weak_pair > 0) own->text = target(t, "text");
    if (o->weight_text > 0) {
        chl_tensor scale = chl_weight(net, "logit_scale_at");
        const chl_shared_rows text = chl_share_rows(g, own->text);
        chl_trainer_term(t, "text", o->weight_text,
                         chl_shared_contrastive_loss(g, sound, text, scale));
    }
    if (o->weight_image > 0) {
        own->picture = target(t, "picture");
        chl_tensor scale = chl_weight(net, "logit_scale_ai");
        const chl_shared_rows picture = chl_share_rows(g, own->picture);
        chl_trainer_term(t, "image", o->weight_image,
                         chl_shared_contrastive_loss(g, sound, picture, scale));
    }
    if (o->weight_sound > 0) {
        const float log_scale = logf(1 / TAU_SOUND);
        chl_tensor scale = chl_constant(g, "scale of sounds", chl_f32(1, 1), &log_scale);
        const chl_shared_rows view =
            chl_share_rows(g, encode(t, net, "view", PURPOSE_DROP_VIEW, &own->view));
        chl_trainer_term(t, "sound", o->weight_sound,
                         chl_shared_contrastive_loss(g, sound, view, scale));
    }
    if (o->weight_weak_pair > 0) {
        own->partner = target(t, "partner");
        chl_trainer_term(t, "weak_pair", o->weight_weak_pair,
                         chl_weak_pair_loss(g, own->text, a, own->partner, o->tau_weak_pair));
    }
}

static chl_status audio_build(chl_trainer *t) {
    CHL_TRY(check_options(t->options));
    audio *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    own->mel = own->view = own->text = own->picture = own->partner = CHL_NONE;
    CHL_TRY(read_sizes(t->options->sizes, &own->config));
    CHL_TRY(chl_audio_targets_new(t, &own->targets));
    own->config.classes = own->targets->embed;
    CHL_TRY(chl_swin_random(&own->config, t->options->seed, &t->params));
    CHL_TRY(chl_swin_import(t->params, &own->config));
    if (!is_tiny(t->options->sizes)) start_narrow(t->params);
    CHL_TRY(new_buffers(t, own));
    chl_net net = chl_trainer_net(t);
    chl_tensor a = encode(t, &net, "mel", PURPOSE_DROP, &own->mel);
    add_losses(t, &net, a);
    chl_net_done(&net);
    return chl_graph_status(t->graph);
}

/* --- one batch -------------------------------------------------------------------------------- */
static chl_status draw_sounds(chl_trainer *t, int64_t step) {
    audio *own = t->own;
    const chl_train_options *o = t->options;
    const int64_t batch = t->batch;
    chl_spec_augment settings = chl_spec_augment_defaults();
    settings.mask_bands = o->mask_bands;
    settings.mask_frames = o->mask_frames;
    CHL_TRY(chl_dataset_mels(t->data, t->batch, own->sample + t->first, own->sound, own->frames));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < batch; i++)
        chl_sound_views(&settings, o->seed, step, t->first + i, own->sound[i], own->frames[i],
                        own->mels + i * CHL_VIEW_FLOATS,
                        own->view == CHL_NONE ? NULL : own->views + i * CHL_VIEW_FLOATS);
    return CHL_OK;
}

static void copy_row(const audio *own, float *rows, int64_t place, const float *from) {
    const int64_t embed = own->targets->embed;
    memcpy(rows + place * embed, from, sizeof(float) * (size_t)embed);
}

static void draw_targets(const chl_trainer *t, int64_t step) {
    audio *own = t->own;
    const uint64_t seed = t->options->seed;
    for (int64_t i = 0; i < t->batch; i++) {
        const int64_t place = t->first + i, sample = own->sample[place];
        if (own->text != CHL_NONE)
            copy_row(own, own->texts, i,
                     chl_audio_text(own->targets, seed, step, place, &t->data->sample[sample]));
        if (own->picture != CHL_NONE)
            copy_row(own, own->pictures, i, chl_audio_picture(own->targets, sample));
        if (own->partner != CHL_NONE) {
            int64_t other = chl_weak_pairs_draw(own->targets->pairs, seed, step, place, sample);
            copy_row(own, own->partners, i, chl_audio_picture(own->targets, other));
        }
    }
}

static chl_status write_if(chl_trainer *t, chl_tensor input, const float *data) {
    return input == CHL_NONE ? CHL_OK : chl_trainer_write(t, input, data);
}

static chl_status audio_feed(chl_trainer *t, int64_t index) {
    audio *own = t->own;
    CHL_TRY(chl_dataset_batch(t->data, t->options->seed, index, t->options->batch, own->sample));
    CHL_TRY(draw_sounds(t, index));
    draw_targets(t, index);
    CHL_TRY(write_if(t, own->mel, own->mels));
    CHL_TRY(write_if(t, own->view, own->views));
    CHL_TRY(write_if(t, own->text, own->texts));
    CHL_TRY(write_if(t, own->picture, own->pictures));
    return write_if(t, own->partner, own->partners);
}

/* --- the result ------------------------------------------------------------------------------- */
/* The marker tells chl_engine_open that the encoder expects pictures of the absolute level. */
static chl_status audio_save(chl_trainer *t, chl_params *out) {
    CHL_TRY(chl_trainer_export(t, t->params, out));
    void *marker;
    CHL_TRY(chl_params_add(out, "chladni.absolute_level", chl_f32(1, 1), &marker));
    *(float *)marker = 1;
    return CHL_OK;
}

static void audio_release(chl_trainer *t) {
    audio *own = t->own;
    if (own) chl_audio_targets_free(own->targets);
}

/* docs/method.md, sections 1 and 3. tau_weak_pair is the temperature at which contrastive losses
 * start, so that all four losses have about the same gradients; with CLIP's own 0.01 its
 * distribution would be almost all on the best picture. */
static void audio_defaults(chl_train_options *o) {
    o->steps = 500;
    o->batch = 64;
    o->rate = 2e-3f; /* for the default sizes; 3e-4 suits Swin-T */
    o->decay = 5e-4f;
    o->beta1 = 0.9f;
    o->beta2 = 0.999f;
    o->average = 0.99f;
    o->weight_text = o->weight_image = o->weight_sound = o->weight_weak_pair = 1;
    o->tau_weak_pair = 0.07f;
    const chl_spec_augment spec = chl_spec_augment_defaults();
    o->mask_bands = spec.mask_bands;
    o->mask_frames = spec.mask_frames;
}

const chl_training chl_training_audio = {.name = "audio",
                                         .need = CHL_NEED_SOUND,
                                         .defaults = audio_defaults,
                                         .build = audio_build,
                                         .feed = audio_feed,
                                         .save = audio_save,
                                         .release = audio_release,
                                         .shared = true};
