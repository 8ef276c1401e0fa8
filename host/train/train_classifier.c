/* A network trained on the labels alone: the supervised baseline of the paper's Table 1. The sound
 * encoder's networks (audio_network.h) with a class in the place of each number of the embedding, and
 * the cross entropy; the mel pictures are masked as SpecAugment does. It is tested on sounds of other
 * folds (eval/supervised.c), by the names of classes and the splits that its file holds. */
#include "losses/losses.h"
#include "models/audio_encoder.h"
#include "nets/class_names.h"
#include "train/audio_network.h"
#include "train/sound_batch.h"
#include <stdio.h>
#include <string.h>

/* The target's logit of the true class, 0 for the others: its softmax is 1 and 0 in float32, so that the
 * divergence from the target is the cross entropy. */
#define TRUE_LOGIT 30

typedef struct classifier {
    const chl_audio_network *network;
    void *config; /* the network's */
    chl_sound_batch *batch;
    int classes;
    const char **name; /* [classes], the data's */
    chl_tensor *mel;   /* [chunks] */
    chl_tensor answer; /* [batch][classes] */
    float *answers;
} classifier;

/* --- building --------------------------------------------------------------------------------- */
static chl_status name_classes(chl_trainer *t, classifier *own) {
    const chl_dataset *data = t->data;
    char place[CHL_PLACE];
    own->classes = data->groups;
    own->name = chl_trainer_memory(t, own->classes + 1, sizeof *own->name);
    CHL_TRY(chl_trainer_memory_status(t));
    if (chl_dataset_lacks_label(data, true, place))
        return chl_fail(CHL_ERR_KEY, "%s: a classifier needs a \"label\"", place);
    for (int64_t i = 0; i < data->count; i++) {
        const chl_sample *s = &data->sample[i];
        own->name[s->group_id] = s->kind ? s->kind : s->label;
    }
    if (own->classes >= 2 && own->classes <= CHL_MAX_EMBEDDING) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT, "%s: a classifier needs 2 to %d different labels, got %d",
                    data->list, CHL_MAX_EMBEDDING, own->classes);
}

/* mel [n,128,864,1] -> logits [n,classes] */
static chl_tensor encode(chl_trainer *t, chl_net *net, int view, int chunk) {
    const classifier *own = t->own;
    return own->network->head(t, net, own->config, view, own->mel[chunk]);
}

static chl_status build(chl_trainer *t) {
    classifier *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    CHL_TRY(name_classes(t, own));
    CHL_TRY(chl_sound_batch_new(t, CHL_SOUNDS_MASKED, &own->batch));
    CHL_TRY(chl_audio_network_find(t->options->encoder, &own->network));
    CHL_TRY(own->network->begin(t, own->classes, &own->config));
    const int64_t answers = (int64_t)t->batch * own->classes;
    own->answers = chl_trainer_memory(t, answers, sizeof *own->answers);
    CHL_TRY(chl_trainer_memory_status(t));
    (void)chl_trainer_net(t);
    own->mel = chl_sound_batch_input(t, "mel");
    if (!own->mel) return chl_graph_status(t->graph);
    const chl_tensor logits = chl_trainer_rows(t, encode, false);
    own->answer = chl_input(t->graph, "label", chl_f32(2, t->batch, own->classes));
    chl_trainer_term(t, "label", 1, chl_kl_divergence(t->graph, own->answer, logits, 1));
    return chl_graph_status(t->graph);
}

/* --- one batch -------------------------------------------------------------------------------- */
static chl_status feed(chl_trainer *t, int64_t index) {
    classifier *own = t->own;
    chl_dataset_next_batch(t->data);
    CHL_TRY(chl_sound_batch_make(t, own->batch, NULL, index));
    memset(own->answers, 0, sizeof(float) * (size_t)t->batch * (size_t)own->classes);
    for (int64_t i = 0; i < t->batch; i++) {
        const int64_t sample = own->batch->sample[t->first + i];
        own->answers[i * own->classes + t->data->sample[sample].group_id] = TRUE_LOGIT;
    }
    CHL_TRY(chl_trainer_write_inputs(t, own->mel, own->batch->mels));
    return chl_trainer_write(t, own->answer, own->answers);
}

/* --- the result ------------------------------------------------------------------------------- */
static chl_status save(chl_trainer *t, chl_params *out) {
    const classifier *own = t->own;
    CHL_TRY(chl_trainer_export(t, t->params, out));
    /* of contrastive losses, which it does not have */
    chl_params_drop(out, "logit_scale_at");
    chl_params_drop(out, "logit_scale_ai");
    CHL_TRY(chl_class_names_add(out, CHL_CLASS_PREFIX, own->classes, own->name));
    if (t->options->split) {
        const char *const split[] = {t->options->split};
        CHL_TRY(chl_class_names_add(out, CHL_SPLIT_PREFIX, 1, split));
    }
    return chl_sound_batch_mark(own->batch, out);
}

static void release(chl_trainer *t) {
    const classifier *own = t->own;
    chl_sound_batch_free(own->batch);
}

/* Steps and rate suit ESC-10's 320 clips of four folds with the small Swin. */
const chl_training chl_training_classifier = {
    .name = "classifier",
    .need = CHL_NEED_SOUND,
    .reads =
        CHL_READS_OPTIMISER "encoder sizes mask_bands mask_frames augment balance short_sounds "
                            "cache cache_mels micro_batch",
    .usual = {.steps = 1000, .batch = 32, .rate = 1e-3f, .average = 0.99f},
    .build = build,
    .feed = feed,
    .save = save,
    .release = release,
    .shared = true,
};
