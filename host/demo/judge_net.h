/* The demo's judge as a network: it names the kind of event in a picture of the demo's world, and
 * classes of three attributes that no sound should change. It shares neither architecture nor
 * weights nor training data with the CLIP pair that edits are optimised against.
 *
 * Stages of 3x3 convolution with stride 2, batch normalisation and ReLU, the mean over all places,
 * a linear layer per question. A file holds conv{i}.weight, norm{i}.{weight, bias, running_mean,
 * running_var}, {kind,time,season,house}.{weight,bias}, `input.side` [1], and for each kind an
 * array [1] whose name is `kind_name.{index}.{name}`. */
#ifndef CHL_DEMO_JUDGE_NET_H
#define CHL_DEMO_JUDGE_NET_H
#include "nets/net.h"

#define CHL_JUDGE_STAGES 8
#define CHL_JUDGE_CLASSES 32 /* maximum of a question */

typedef enum chl_judge_question {
    CHL_JUDGE_KIND,
    CHL_JUDGE_TIME,   /* quarter of the day */
    CHL_JUDGE_SEASON, /* third of the season */
    CHL_JUDGE_HOUSE,
    CHL_JUDGE_QUESTIONS
} chl_judge_question;
/* "kind", "time", "season", "house": as in the file and in pairs.jsonl */
const char *chl_judge_question_name(chl_judge_question question);

typedef struct chl_judge_config {
    int side; /* pixels on a side of the pictures that it was trained on */
    int stages, width[CHL_JUDGE_STAGES];
    int classes[CHL_JUDGE_QUESTIONS];
    const char *kind_name[CHL_JUDGE_CLASSES]; /* point into the params */
} chl_judge_config;

/* Reads sizes and names, checks that every array is there and marks it as taken. CHL_ERR_KEY,
 * CHL_ERR_SHAPE, CHL_ERR_FORMAT, CHL_ERR_UNSUPPORTED with the array's name. */
chl_status chl_judge_import(chl_params *params, chl_judge_config *config);
/* Random weights [He et al. 2015] of the sizes and with the names of `config`. */
chl_status chl_judge_random(const chl_judge_config *config, uint64_t seed, chl_params **out);

/* Batch statistics of each stage, [width] each. */
typedef struct chl_judge_statistics {
    chl_tensor mean[CHL_JUDGE_STAGES], var[CHL_JUDGE_STAGES]; /* biased variance */
} chl_judge_statistics;
/* x [N,H,W,3] in [-1,1] -> logits [N, classes] per question. With `statistics` (training), each
 * stage is normalised by the batch's statistics, which are returned there; without, by the running
 * ones of the file. */
void chl_judge_net(chl_net *net, const chl_judge_config *config, chl_tensor x,
                   chl_judge_statistics *statistics, chl_tensor logits[CHL_JUDGE_QUESTIONS]);
#endif
