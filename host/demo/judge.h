/* An independent witness for edits: a small convolutional network that names the kind of event in a
 * picture of the demo's world and three attributes that no sound should change. It shares neither
 * architecture nor weights nor training with the CLIP pair that edits are optimised against, and
 * sees painted pictures only.
 *
 *     chl_judge_config config;
 *     CHL_TRY(chl_judge_import(params, &config));
 *     CHL_TRY(chl_judge_look(device, params, &config, n, pixels, seen));
 *     seen[i].best[CHL_JUDGE_KIND], config.kind_name[...], seen[i].probability[...][...]
 *
 * Stages of 3x3 convolution with stride 2, batch normalisation and ReLU, the mean over all places,
 * a linear layer per question. A file holds conv{i}.weight, norm{i}.{weight, bias, running_mean,
 * running_var}, {kind,time,season,house}.{weight,bias}, `input.side` [1], and for each kind an
 * array [1] whose name is `kind_name.{index}.{name}`. */
#ifndef CHL_NETS_JUDGE_H
#define CHL_NETS_JUDGE_H
#include "nets/net.h"

#define CHL_JUDGE_STAGES 8
#define CHL_JUDGE_CLASSES 32 /* no question has more answers */

typedef enum chl_judge_question {
    CHL_JUDGE_KIND,
    CHL_JUDGE_TIME,   /* quarter of the day */
    CHL_JUDGE_SEASON, /* third of the season */
    CHL_JUDGE_HOUSE,
    CHL_JUDGE_QUESTIONS
} chl_judge_question;
/* "kind", "time", "season", "house" */
const char *chl_judge_question_name(chl_judge_question question);

typedef struct chl_judge_config {
    int side; /* of the pictures it was trained on */
    int stages, width[CHL_JUDGE_STAGES];
    int classes[CHL_JUDGE_QUESTIONS];
    const char *kind_name[CHL_JUDGE_CLASSES]; /* these point into the params */
} chl_judge_config;

/* Reads sizes and names, checks that every key is there and marks it used. */
chl_status chl_judge_import(chl_params *params, chl_judge_config *config);
/* Fresh weights [He et al. 2015] of the sizes and with the names of `config`. */
chl_status chl_judge_random(const chl_judge_config *config, uint64_t seed, chl_params **out);

/* Batch statistics of each stage, [width] each. */
typedef struct chl_judge_statistics {
    chl_tensor mean[CHL_JUDGE_STAGES], var[CHL_JUDGE_STAGES]; /* biased variance */
} chl_judge_statistics;
/* x [N,H,W,3] in [-1,1] -> logits [N, classes] per question. With `statistics`: as in training,
 * normalised by the batch's own, which come out; the running ones are not read. */
void chl_judge(chl_net *net, const chl_judge_config *config, chl_tensor x,
               chl_judge_statistics *statistics, chl_tensor logits[CHL_JUDGE_QUESTIONS]);

typedef struct chl_judge_seen {
    int best[CHL_JUDGE_QUESTIONS];
    float probability[CHL_JUDGE_QUESTIONS][CHL_JUDGE_CLASSES];
} chl_judge_seen;
/* pixels [n][side][side][3] in [-1,1], clamped here as a picture file would be; seen [n] */
chl_status chl_judge_look(chl_device *device, chl_params *params, const chl_judge_config *config,
                          int64_t n, const float *pixels, chl_judge_seen *seen);
#endif
