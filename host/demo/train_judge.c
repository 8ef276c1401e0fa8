/* The judge of edits (demo/judge.h): cross-entropy of four questions, on painted pictures only. It
 * must stay independent of what edits are optimised against, so it never sees a generator. */
#include "demo/judge.h"
#include "graph/build.h"
#include "train/augment_picture.h"
#include "train/sizes.h"
#include "train/trainer.h"
#include <stdlib.h>
#include <string.h>

#define PURPOSE_PICTURE 0x6a756467u /* Philox purpose of the augmentation */
/* of the running statistics, as PyTorch's momentum 0.1 */
#define STATISTICS_DECAY 0.9f
/* Milder than an encoder's: the hour of the day is a matter of brightness, and the house stands
 * near the edge at times. The blur is there because edited pictures are softer than painted ones.
 */
#define AUGMENT                                                                                    \
    ((chl_picture_augment){                                                                        \
        .zoom = 0.08f, .brightness = 0.05f, .contrast = 0.1f, .noise = 0.06f, .blur = 0.5f})
/* softmax of this and zeros is 1 and 0 to float32's last digits, so that the divergence from it is
 * the cross-entropy */
#define CERTAIN 30

typedef struct judge {
    chl_params *params;
    chl_judge_config config;
    chl_tensor picture, answer[CHL_JUDGE_QUESTIONS];
    int64_t *chosen;
    float *pixels, *answers;
} judge;

static void defaults(chl_train_options *o) {
    o->steps = 700;
    o->batch = 32;
    o->rate = 2e-3f;
    o->cycles = 1;
    o->warm_up = 0.05f;
    o->beta1 = 0.9f;
    o->beta2 = 0.99f;
    o->decay = 1e-3f;
    o->average = 0.98f;
}

static chl_status read_config(const chl_trainer *t, chl_judge_config *config) {
    *config = (chl_judge_config){.side = 128,
                                 .stages = 5,
                                 .width = {24, 48, 96, 128, 128},
                                 .classes = {t->data->kinds, 4, 3, 2}};
    const chl_size_key keys[] = {
        {"side", &config->side, .least = 8, .most = 1024},
        {"widths", config->width, .room = CHL_JUDGE_STAGES, .given = &config->stages, .least = 1,
         .most = 1024},
    };
    CHL_TRY(chl_sizes_read(t->options->sizes, keys, 2));
    if (t->data->kinds < 2 || t->data->kinds > CHL_JUDGE_CLASSES)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: %d kinds where a judge tells 2 to %d apart",
                        t->data->folder, t->data->kinds, CHL_JUDGE_CLASSES);
    for (int k = 0; k < t->data->kinds; k++) config->kind_name[k] = t->data->kind_name[k];
    return CHL_OK;
}

static void class_of(const chl_sample *s, int classes[CHL_JUDGE_QUESTIONS]) {
    classes[CHL_JUDGE_KIND] = s->kind_id;
    classes[CHL_JUDGE_TIME] = s->time;
    classes[CHL_JUDGE_SEASON] = s->season;
    classes[CHL_JUDGE_HOUSE] = s->house;
}

static chl_status check_classes(const chl_dataset *data, const chl_judge_config *config) {
    for (int64_t i = 0; i < data->count; i++) {
        int classes[CHL_JUDGE_QUESTIONS];
        class_of(&data->sample[i], classes);
        for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++)
            if (classes[q] < 0 || classes[q] >= config->classes[q])
                return chl_fail(CHL_ERR_FORMAT,
                                "%s/pairs.jsonl line %lld: \"%s\" is %d where 0 to %d are known",
                                data->folder, (long long)i + 1, chl_judge_question_name(q),
                                classes[q], config->classes[q] - 1);
    }
    return CHL_OK;
}

static chl_status build(chl_trainer *t) {
    judge *own = calloc(1, sizeof *own);
    if (!own) return chl_fail(CHL_ERR_MEMORY, "out of memory for the judge's training");
    t->own = own;
    CHL_TRY(read_config(t, &own->config));
    CHL_TRY(check_classes(t->data, &own->config));
    CHL_TRY(chl_judge_random(&own->config, t->options->seed, &own->params));

    chl_graph *g = t->graph;
    const int n = t->options->batch, side = own->config.side;
    own->chosen = malloc((size_t)n * sizeof *own->chosen);
    own->pixels = malloc((size_t)n * (size_t)(side * side * 3) * sizeof *own->pixels);
    own->answers = malloc((size_t)n * CHL_JUDGE_CLASSES * sizeof *own->answers);
    if (!own->chosen || !own->pixels || !own->answers)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a batch of %d pictures", n);
    own->picture = chl_input(g, "picture", chl_f32(4, n, side, side, 3));
    chl_net net = chl_trainer_net(t, own->params);
    chl_judge_statistics statistics;
    chl_tensor logits[CHL_JUDGE_QUESTIONS];
    chl_judge(&net, &own->config, own->picture, &statistics, logits);
    for (int i = 0; i < own->config.stages; i++) {
        chl_trainer_track(t, chl_weight(&net, "norm%d.running_mean", i), statistics.mean[i],
                          STATISTICS_DECAY);
        chl_trainer_track(t, chl_weight(&net, "norm%d.running_var", i), statistics.var[i],
                          STATISTICS_DECAY);
    }
    chl_net_done(&net);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        const char *name = chl_judge_question_name(q);
        own->answer[q] = chl_input(g, name, chl_f32(2, n, own->config.classes[q]));
        chl_trainer_term(t, name, 1, chl_kl_divergence(g, own->answer[q], logits[q], 1));
    }
    return chl_graph_status(g);
}

static chl_status feed(chl_trainer *t, int64_t index) {
    judge *own = t->own;
    const int n = t->options->batch, side = own->config.side;
    CHL_TRY(chl_dataset_batch(t->data, t->options->seed, index, n, own->chosen));
    for (int i = 0; i < n; i++) {
        const uint8_t *bytes;
        CHL_TRY(chl_dataset_picture(t->data, own->chosen[i], side, &bytes));
        chl_augment_picture(&AUGMENT, t->options->seed, PURPOSE_PICTURE, index, i, side, bytes,
                            own->pixels + (int64_t)i * side * side * 3);
    }
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        const int classes = own->config.classes[q];
        memset(own->answers, 0, (size_t)(n * classes) * sizeof *own->answers);
        for (int i = 0; i < n; i++) {
            int class[CHL_JUDGE_QUESTIONS];
            class_of(&t->data->sample[own->chosen[i]], class);
            own->answers[i * classes + class[q]] = CERTAIN;
        }
        CHL_TRY(chl_write(t->graph, own->answer[q], own->answers));
    }
    return chl_write(t->graph, own->picture, own->pixels);
}

static chl_status save(chl_trainer *t, chl_params *out) {
    const judge *own = t->own;
    return chl_trainer_export(t, own->params, out);
}

static void release(chl_trainer *t) {
    judge *own = t->own;
    if (!own) return;
    chl_params_free(own->params);
    free(own->chosen);
    free(own->pixels);
    free(own->answers);
    free(own);
    t->own = NULL;
}

const chl_training chl_training_judge = {
    .name = "judge",
    .need = CHL_NEED_PICTURE | CHL_NEED_CLASSES,
    .defaults = defaults,
    .build = build,
    .feed = feed,
    .save = save,
    .release = release,
};
