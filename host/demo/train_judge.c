/* Training the judge (demo/judge_net.h): cross-entropy of four questions, on painted pictures only.
 * The judge must stay independent of what edits are optimised against, so it never sees a
 * generator's pictures. */
#include "demo/train_judge.h"
#include "demo/judge_net.h"
#include "graph/build.h"
#include "train/augment_picture.h"
#include "train/picture_batch.h"
#include "train/sizes.h"
#include <stdlib.h>
#include <string.h>

#define PURPOSE_PICTURE 0x6a756467u /* Philox purpose of the augmentation */
/* Of the running statistics: PyTorch's momentum 0.1. */
#define STATISTICS_DECAY 0.9f
/* Weaker than an encoder's (augment_picture.h): brightness tells the time of day, and the house may
 * be near the edge. Blur, because edited pictures are softer than painted ones. */
#define AUGMENT                                                                                    \
    ((chl_picture_augment){                                                                        \
        .zoom = 0.08f, .brightness = 0.05f, .contrast = 0.1f, .noise = 0.06f, .blur = 0.5f})
/* The target's logit of the true class, 0 for the others: its softmax is 1 and 0 in float32, so the
 * divergence from the target is the cross-entropy. */
#define TRUE_LOGIT 30

typedef struct judge {
    chl_judge_config config;
    const int *class[CHL_JUDGE_QUESTIONS]; /* [samples], in the dataset; not of the kind */
    chl_tensor picture, answer[CHL_JUDGE_QUESTIONS];
    /* of one batch */
    chl_picture_batch batch;
    float *answers;
} judge;

static chl_status read_config(const chl_trainer *t, chl_judge_config *config) {
    *config = (chl_judge_config){.side = 128,
                                 .stages = 5,
                                 .width = {24, 48, 96, 128, 128},
                                 .classes = {t->data->kinds, 4, 3, 2}};
    const chl_size_key keys[] = {
        {"side", &config->side, .min = 8, .max = 1024},
        {"widths", config->width, .room = CHL_JUDGE_STAGES, .given = &config->stages, .min = 1,
         .max = 1024},
    };
    CHL_TRY(chl_sizes_read(t->options->sizes, keys, 2));
    if (t->data->kinds < 2 || t->data->kinds > CHL_JUDGE_CLASSES)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: the number of kinds must be 2 to %d, got %d",
                        t->data->list, CHL_JUDGE_CLASSES, t->data->kinds);
    for (int k = 0; k < t->data->kinds; k++) config->kind_name[k] = t->data->kind_name[k];
    return CHL_OK;
}

static chl_status find_classes(const chl_dataset *data, judge *own) {
    for (int q = CHL_JUDGE_KIND + 1; q < CHL_JUDGE_QUESTIONS; q++)
        CHL_TRY(chl_dataset_require_classes(data, chl_judge_question_name(q),
                                            own->config.classes[q], &own->class[q]));
    return CHL_OK;
}

static int class_of(const chl_trainer *t, int question, int64_t sample) {
    const judge *own = t->own;
    return question == CHL_JUDGE_KIND ? t->data->sample[sample].kind_id
                                      : own->class[question][sample];
}

static chl_status build(chl_trainer *t) {
    judge *own = t->own = chl_trainer_memory(t, 1, sizeof *own);
    CHL_TRY(chl_trainer_memory_status(t));
    CHL_TRY(read_config(t, &own->config));
    CHL_TRY(find_classes(t->data, own));
    CHL_TRY(chl_judge_random(&own->config, t->options->seed, &t->params));

    chl_graph *g = t->graph;
    const int n = t->batch, side = own->config.side;
    CHL_TRY(chl_picture_batch_new(t, side, &own->batch));
    own->answers = chl_trainer_memory(t, (int64_t)n * CHL_JUDGE_CLASSES, sizeof *own->answers);
    CHL_TRY(chl_trainer_memory_status(t));
    own->picture = chl_input(g, "picture", chl_f32(4, n, side, side, 3));
    chl_net *net = chl_trainer_net(t);
    chl_judge_statistics statistics;
    chl_tensor logits[CHL_JUDGE_QUESTIONS];
    chl_judge_net(net, &own->config, own->picture, &statistics, logits);
    for (int i = 0; i < own->config.stages; i++) {
        chl_trainer_track(t, chl_weight(net, "norm%d.running_mean", i), statistics.mean[i],
                          STATISTICS_DECAY);
        chl_trainer_track(t, chl_weight(net, "norm%d.running_var", i), statistics.var[i],
                          STATISTICS_DECAY);
    }
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        const char *name = chl_judge_question_name(q);
        own->answer[q] = chl_input(g, name, chl_f32(2, n, own->config.classes[q]));
        chl_trainer_term(t, name, 1, chl_kl_divergence(g, own->answer[q], logits[q], 1));
    }
    return chl_graph_status(g);
}

static chl_status feed(chl_trainer *t, int64_t index) {
    judge *own = t->own;
    const int n = t->batch, side = own->config.side;
    CHL_TRY(chl_picture_batch_read(t, &own->batch, index));
    const int64_t *sample = own->batch.sample + t->first;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++)
        chl_augment_picture(&AUGMENT, t->options->seed, PURPOSE_PICTURE, index, t->first + i, side,
                            own->batch.bytes[i], own->batch.pixels + (int64_t)i * side * side * 3);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        const int classes = own->config.classes[q];
        memset(own->answers, 0, (size_t)(n * classes) * sizeof *own->answers);
        for (int i = 0; i < n; i++)
            own->answers[i * classes + class_of(t, q, sample[i])] = TRUE_LOGIT;
        CHL_TRY(chl_trainer_write(t, own->answer[q], own->answers));
    }
    return chl_trainer_write(t, own->picture, own->batch.pixels);
}

const chl_training chl_training_judge = {
    .name = "judge",
    .need = CHL_NEED_PICTURE | CHL_NEED_KIND,
    .reads = CHL_READS_OPTIMISER "sizes",
    .usual = {.steps = 700, .rate = 2e-3f, .beta2 = 0.99f, .decay = 1e-3f, .average = 0.98f},
    .build = build,
    .feed = feed,
    .save = chl_trainer_save,
    .shared = true,
};
