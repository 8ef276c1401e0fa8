/* Optimisations as chl_edit_many does them, for those that do several in a row; this room only. */
#ifndef CHL_EDIT_EDIT_PRIVATE_H
#define CHL_EDIT_EDIT_PRIVATE_H
#include "graph/graph.h"
#include "models/engine.h"
#include <chladni/edit.h>

/* What is trained: w [rows][latent], u [rows][latent] or d [latent], by the space; in each of them w
 * is affine in it. */
typedef struct chl_edit_many_more {
    const float *weight; /* NULL, or [n]: of L_reg, in place of latent_weight */
    bool of_region;      /* it is of L_out, in place of region_weight */
    const float *from;   /* NULL, or [n] of what is trained: where the edits begin */
    float *to;           /* NULL, or the same at their ends */
    const float
        *held;   /* NULL, or [n] codes: what rows that may not move are, instead of the source's */
    float *loss; /* NULL, or [n]: the whole losses of the last step; of what broke down, infinite */
} chl_edit_many_more;

/* chl_edit_many with options that are checked, from one beginning (once.c); more may be NULL. */
chl_status chl_edit_once(chl_engine *engine, const chl_edit_options *options,
                         const chl_edit_many_more *more, int n, const float *source,
                         const float *target, float *edited, float *mask);
/* What it costs, `cost` zeros before. */
chl_status chl_edit_once_cost(chl_engine *engine, const chl_edit_options *options, int n,
                              chl_cost *cost);
/* chl_edit_once from as many beginnings as the options say, unless `more` has one (starts.c). */
chl_status chl_edit_run(chl_engine *engine, const chl_edit_options *options,
                        const chl_edit_many_more *more, int n, const float *source,
                        const float *target, float *edited, float *mask);
/* `mine` becomes the caller's options, or the defaults where the caller has none. */
chl_status chl_edit_take_options(const chl_engine *engine, const chl_edit_options *theirs,
                                 chl_edit_options *mine);

/* --- draws around codes: code_noise.c --------------------------------------------------------- */
/* Normal draws that vary as mapped codes do. All edits of all batches have the same ones, so that none
 * depends on its neighbours. */
typedef struct chl_code_draws {
    int latent;
    const float
        *root; /* C^(1/2) [latent][latent], or NULL: the numbers are those of whitened codes */
    uint64_t seed;
    uint32_t purpose; /* Philox key */
} chl_code_draws;
/* move [latent] = spread C^(1/2) u; u [latent] is working memory. */
void chl_code_draw(const chl_code_draws *draws, uint64_t number, float spread, float *u,
                   float *move);

#define CHL_CODE_NOISE_PURPOSE 0x4e6f6973u /* key of the draws; their number is the step's */
/* What options->code_noise adds to n codes of `rows` before a step of theirs. */
typedef struct chl_code_noise {
    const chl_edit_options *options;
    const float *root; /* [latent][latent] */
    int n, rows, latent;
    chl_graph *graph;
    chl_tensor input; /* [n][rows][latent] */
} chl_code_noise;
/* chl_optimisation.before, whose owner is a chl_code_noise */
chl_status chl_code_noise_write(void *owner, int index);
/* Its deviation at a step, as a share of the mapped codes'. */
float chl_code_noise_at(float amount, int index, int steps);

/* --- regions: region.c ------------------------------------------------------------------------ */
/* Numbers in [0, 1], neither all 0 nor all 1; `side` of the picture. */
chl_status chl_region_check(const float *region, int side);
/* outside [side][side][3]: the mean over the picture of |a - b| times it is the change outside. */
void chl_region_weights(const float *region, int side, float *outside);
float chl_region_change(const float *region, int side, const float *a, const float *b);
#endif
