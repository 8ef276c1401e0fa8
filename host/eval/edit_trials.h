/* What every trial of edits needs: the witness, the sources and what it sees in them, the sounds,
 * and edits in batches. */
#ifndef CHL_EVAL_BENCH_H
#define CHL_EVAL_BENCH_H
#include "demo/judge.h"
#include "eval/embed.h"
#include "train/dataset.h"
#include <chladni/eval.h>

typedef struct chl_bench {
    chl_engine *engine;
    const chl_trial_options *options;
    chl_progress_watch watch;
    chl_engine_sizes size;
    chl_params *judge;
    chl_judge_config judge_config;
    chl_dataset *sounds;
    int kinds;      /* in `sounds` */
    int *witness;   /* [kinds], the judge's class of each */
    int64_t *first; /* [kinds + 1], of each kind in `order` */
    int64_t *order; /* samples of strength enough, sorted by kind, as they stand in the file */
    int sources;
    float *source_code;   /* [sources][rows][latent] */
    float *source_pixels; /* [sources][picture][picture][3] */
    chl_judge_seen *source_seen;
} chl_bench;

chl_status chl_bench_open(chl_engine *engine, const chl_trial_options *options, chl_bench *bench);
void chl_bench_close(chl_bench *bench);

int64_t chl_bench_code(const chl_bench *bench);    /* numbers in a W+ code */
int64_t chl_bench_picture(const chl_bench *bench); /* in a picture */
/* Which sample of a kind source `source` meets: one of all that are strong enough. */
int64_t chl_bench_sound(const chl_bench *bench, int source, int kind);

/* One edit. */
typedef struct chl_trial {
    int source, kind;
    int64_t sound; /* sample of bench->sounds */
    float gain_db;
    const float *target; /* [embedding] */
    chl_judge_seen seen;
    float cosine; /* of the picture with `text`, where the caller asked */
} chl_trial;

/* Fills in seen. code [n][rows][latent] and pixels [n][...] are for callers who want them. text:
 * NULL, or an embedding per kind that `cosine` refers to. */
typedef struct chl_bench_run {
    const char *what;     /* for the progress callback */
    const float *text;    /* [kinds][embedding] */
    float *code, *pixels; /* NULL, or room for all n */
} chl_bench_run;
chl_status chl_bench_edit(chl_bench *bench, const chl_bench_run *run, int n, chl_trial *trial);

/* The embeddings of the trials' sounds (by_label: of their labels) into target [n][embedding], to
 * which trial[i].target is set. */
chl_status chl_bench_listen(chl_bench *bench, int n, chl_trial *trial, float *target);
/* n z (rows of a dataset's latents) -> codes and, unless NULL, pictures */
chl_status chl_bench_imagine(chl_bench *bench, int n, const float *z, float *code, float *pixels);
chl_status chl_bench_look(chl_bench *bench, int n, const float *pixels, chl_judge_seen *seen);

/* ln of P(kind) over P(anything else): how strongly the judge sees it. */
double chl_bench_strength(const chl_bench *bench, const chl_judge_seen *seen, int kind);
/* True when the judge answers the question for both alike. */
static inline bool chl_same_answer(const chl_judge_seen *a, const chl_judge_seen *b,
                                   chl_judge_question q) {
    return a->best[q] == b->best[q];
}
#endif
