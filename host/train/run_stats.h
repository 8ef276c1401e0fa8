/* What a run tells of each step: a line of stats.jsonl and a record of TensorBoard's event file;
 * and at its end the loss curves as a picture. The event file is a function of stats.jsonl and is
 * made again from it when a run begins, so that a run that resumes has each step once; its numbers
 * are float32, of which the nine digits in stats.jsonl keep every bit. Rank 0 only. */
#ifndef CHL_TRAIN_RUN_STATS_H
#define CHL_TRAIN_RUN_STATS_H
#include "train/trainer_private.h"

typedef struct chl_step_stats {
    int64_t step;
    float rate;
    const float *term; /* [t->inside->terms] */
    float loss;
    float gradient_norm;
    double seconds, waited; /* of the step; of these for its batch */
    double communicated;    /* of these in exchanges with other ranks; < 0: not known */
} chl_step_stats;

/* Cuts stats.jsonl to this step and makes the event file from it. */
chl_status chl_run_stats_begin(chl_trainer *t, int64_t step);
chl_status chl_run_stats_add(const chl_trainer *t, const chl_step_stats *stats);
/* Makes the event file and losses.png again: a run may have ended between its last checkpoint and
 * these. */
chl_status chl_run_stats_repair(const chl_trainer *t);
/* Writes losses.png from stats.jsonl; nothing in a build that writes no pictures. */
chl_status chl_run_stats_end(const chl_trainer *t);
#endif
