/* Editing a picture: direct W+ optimisation (Eq. 14), mixing, inversion. */
#ifndef CHLADNI_EDIT_H
#define CHLADNI_EDIT_H
#include <chladni/engine.h>
#ifdef __cplusplus
extern "C" {
#endif

/* --- editing ---------------------------------------------------------------------------------- */
typedef enum chl_similarity {
    CHL_COSINE,     /* 1 - <V(G(w)), a>, as the authors' code */
    CHL_HINGE,      /* Eq. 15: max(0, m + (1 - <V(G(w)),a>) - (1 - <V(G(w)),V(G(w_s))>)), m = 1 */
    CHL_DIRECTIONAL /* 1 - cos(V(G(w)) - V(G(w_s)), a - neutral); neutral: empty sound or "" text */
} chl_similarity;

/* What is optimised. W: the W+ code w (the paper). WHITENED: u in w = w_s + C^(1/2) u, C the
 * covariance of mapped codes; L_reg is |u|^2, a Mahalanobis distance, so that directions in which
 * mapped codes do not vary cost most. Needs the generator's mapping network. SHARED: one offset d
 * for all rows, w = w_s + d, W instead of W+: less exact and more editable [Tov et al. 2021]. */
typedef enum chl_space { CHL_SPACE_W, CHL_SPACE_WHITENED, CHL_SPACE_SHARED } chl_space;

/* State after one step of the optimisation; of several edits at once the losses and the cosine are
 * means. Later versions may add fields at the end. */
typedef struct chl_edit_progress {
    int step, steps;       /* step counts from 1 */
    float similarity_loss; /* L_sim */
    float latent_loss;     /* L_reg, before its weight */
    float identity_loss;   /* L_id, before its weight; 0 without a face encoder */
    float cosine;          /* <V(G(w)), a> */
    double seconds, seconds_left;
    const float *w; /* [n][rows][latent] current codes (n = 1: chl_edit); valid during the call */
} chl_edit_progress;
/* A return value other than 0 stops: the call returns CHL_ERR_CANCELLED and the current results. */
typedef int (*chl_progress_callback)(void *user, const chl_edit_progress *progress);

typedef struct chl_edit_options {
    uint32_t size;
    int steps;  /* 300 */
    float rate; /* Adam's learning rate: 0.1; 0.05 with a face encoder */
    /* Adam's epsilon. 1e-8 (the paper): every component of a code moves by about `rate` per step,
     * however small its gradient, and many small moves raise the cosine without a visible event. An
     * epsilon above the gradients' size (0.01 with a rate of 0.5 to 1) is close to descent with
     * momentum: components move in proportion to their gradients. */
    float adam_eps;
    uint64_t seed;
    float latent_weight; /* lambda_sim of Eq. 14, the weight of L_reg: 0.008 faces, 0.002 scenes */
    /* p > 0: the weight of L_reg is latent_weight (step / steps)^p, so that an edit first
     * approaches the target and then undoes changes that do not help. 0: constant (the paper). */
    float latent_weight_rise;
    /* 0 (the paper): L_reg as defined. s > 0: L_reg s / E|w - mean|^2 over mapped codes, so that
     * one weight suits every generator: with s = 1 a row that moves as far as mapped codes lie from
     * their mean costs latent_weight. */
    float latent_scale;
    float identity_weight; /* lambda_ID, the weight of L_id: 0.005; only with a face encoder */
    chl_similarity similarity;
    float margin;         /* hinge: 1 */
    const float *neutral; /* directional: [embedding] */
    chl_space space;      /* W (the paper) */
    int adaptive_mask;    /* 1: layer weights g are learned too (Eq. 16-17); 0: all equal */
    /* Learning rate of the layer weights g divided by that of w: 1 (the paper). The gradient of g
     * always favours the layer that moved least; at 1 that layer ends with nearly all the weight
     * and L_reg no longer constrains the others; at 0.05 all stay constrained. 0: g stays equal. */
    float mask_rate;
    chl_progress_callback progress;
    void *user;
    /* NULL: all of the picture may change. [picture][picture] in [0, 1]: 1 where it may, 0 where it
     * should not. region_weight L_out joins the loss: chl_change_outside of the edited picture. */
    const float *region;
    double region_weight; /* 1 */
    /* NULL: every row of the code may move. [rows] of 0 and 1, not all 0: rows of 0 keep the bits with
     * which they begin, and have no share of the layer mask. Of a shared space the others share d. */
    const int *rows;
    /* 1, or 0: the edit begins at its source (the paper). N > 1: N beginnings, the source and N - 1 codes
     * around it (0.4 C^(1/2) u, u normal, of `seed`, the same on all rows), are followed for start_steps each,
     * and the one with the smallest loss then for all steps: for edits whose gradient at the source leads
     * nowhere. L_reg is from the source in any case. Needs the generator's mapping network. Not for
     * chl_edit_from, which has a beginning. */
    int starts;
    int start_steps; /* 0: a quarter of the steps */
    /* x > 0: each step looks at the picture of w + x (1 - t / 0.75)^2 C^(1/2) u instead of that of w, u normal, of
     * `seed`, the same on all rows that may move, t the share of the steps done; from three quarters on at that of w
     * [Karras et al. 2020, projector, where x = 0.05]. It finds events to which the source's own gradient does not lead:
     * 0.4 suits the demo. L_reg is of w. Needs the generator's mapping network. 0: none (the paper). Not for
     * chl_edit_from, nor for the warm starts of chl_edit_to_goal. */
    double code_noise;
} chl_edit_options;
CHL_API void chl_edit_options_init(const chl_engine *engine, size_t size,
                                   chl_edit_options *options);
static inline chl_edit_options chl_edit_defaults(const chl_engine *engine) {
    chl_edit_options options;
    chl_edit_options_init(engine, sizeof options, &options);
    return options;
}

/* The steps of an edit, those of its `starts` included: chl_edit_progress counts them. 0 for NULL. */
CHL_API int chl_edit_steps(const chl_edit_options *options);

/* argmin_w L_sim + latent_weight L_reg + identity_weight L_id (Eq. 14) by Adam, from `source`.
 * source, edited [rows][latent]; target [embedding]; mask NULL or [rows], receives softmax(g).
 * options NULL: the defaults. Needs generator and clip. CHL_ERR_NUMERIC when a loss is not finite:
 * `edited` then holds the last finite code. CHL_ERR_CANCELLED: the code of the last step. */
CHL_CHECKED chl_status chl_edit(chl_engine *engine, const chl_edit_options *options,
                                const float *source, const float *target, float *edited,
                                float *mask);

/* n edits as one batch, for throughput. On the CPU each result has the bits that chl_edit gives,
 * whatever n and the number of threads are. On a GPU sums may be rounded differently for another n,
 * and the optimiser amplifies that. source, edited [n][rows][latent]; target [n][embedding]; mask NULL or
 * [n][rows]. Memory is proportional to n. CHL_ERR_NUMERIC when the loss of some edits is not
 * finite: those keep their last finite code (and a mask of zeros), the others are completed. */
CHL_CHECKED chl_status chl_edit_many(chl_engine *engine, const chl_edit_options *options, int n,
                                     const float *source, const float *target, float *edited,
                                     float *mask);
/* 1 where an edit has the same bits whoever shares its batch (the CPU), so that a part of a batch
 * may be computed without the rest; 0 where it does not (a GPU), and for NULL. */
CHL_API int chl_edit_is_independent(const chl_engine *engine);

/* The change outside a region: mean |a - b| of the pixels, each counted 1 - region times, as a share
 * of the range from black to white. a, b [picture][picture][3]; region as in chl_edit_options; change
 * [1]. Needs generator. */
CHL_CHECKED chl_status chl_change_outside(const chl_engine *engine, const float *region,
                                          const float *a, const float *b, float *change);

/* --- as strong as a bound allows --------------------------------------------------------------- */
/* What is kept of the source, measured on the edited code w. */
typedef enum chl_kept {
    CHL_KEEP_DISTANCE, /* at most: |w - w_s|, root mean square over the rows */
    CHL_KEEP_CLIP,     /* at most: 1 - <V(G(w)), V(G(w_s))>, CLIP's distance of the pictures */
    CHL_KEEP_IDENTITY, /* at least: <R(G(w)), R(G(w_s))>; needs face */
    CHL_KEEP_OUTSIDE   /* at most: the change outside the edit's region; needs region */
} chl_kept;
typedef struct chl_goal_options {
    uint32_t size;
    chl_kept keep;
    float bound;
    float tolerance; /* 0.02: the search ends within this share of the bound, on its good side */
    int rounds;      /* 3: at most, of warm starts */
    int weights_at_once; /* 3: tried per edit and round */
    int round_steps;     /* of a warm start; 0: a fifth of the edit's steps */
} chl_goal_options;
CHL_API void chl_goal_options_init(size_t size, chl_goal_options *options);
static inline chl_goal_options chl_goal_defaults(void) {
    chl_goal_options options;
    chl_goal_options_init(sizeof options, &options);
    return options;
}
/* A point of the curve strength against keeping. Never changes its layout, as the next one. */
typedef struct chl_goal_point {
    float
        weight; /* of L_reg, or of L_out where that is kept; -1: between two codes that were found, without an optimisation */
    float kept; /* distance, CLIP distance, identity or change outside */
    float cosine; /* <V(G(w)), a> */
} chl_goal_point;
#define CHL_GOAL_POINTS 64
typedef struct chl_goal_result {
    int within;      /* 1: the bound holds, within the tolerance */
    int slack;       /* 1: it holds at weight 0 too: nothing stronger was found */
    int chosen;      /* index of the result's point; -1: the source itself */
    int points;      /* in the order in which they were found */
    int steps;       /* of all optimisations of this edit */
    int evaluations; /* of codes between two that were found */
    chl_goal_point point[CHL_GOAL_POINTS];
} chl_goal_result;

/* n edits, each as near to its target as it can be while the bound holds: a search over latent_weight
 * (CHL_KEEP_OUTSIDE: region_weight), from the options' own, which must be > 0. Several weights are tried at once and start from the
 * codes of neighbouring weights; where no weight meets the bound within the tolerance, a code on the
 * line between the two nearest ones does. No result is weaker than the
 * plain edit, moved back towards its source until the bound holds. Arguments as chl_edit_many; results [n]. An edit's bits do
 * not depend on n. Progress counts the steps of the whole search, its `w` is NULL. CHL_ERR_CANCELLED
 * and CHL_ERR_NUMERIC: the best codes so far that keep the bound, or the source. */
CHL_CHECKED chl_status chl_edit_to_goal(chl_engine *engine, const chl_edit_options *options,
                                        const chl_goal_options *goal, int n, const float *source,
                                        const float *target, float *edited,
                                        chl_goal_result *results);
/* The curves of n searches as a PNG, strength over keeping, with the bound; name [n] for the legend.
 * Of more than nine the first nine are drawn. */
CHL_CHECKED chl_status chl_goal_plot(const chl_goal_options *goal, int n,
                                     const chl_goal_result *results, const char *const *name,
                                     const char *path);

/* Mixes two edits of one source, by a text and by a sound, into one code. LINEAR: amount text +
 * (1 - amount) sound, amount in [0, 1] (Eq. 19). ROWS: the first `amount` rows (coarse layers) from
 * the sound, the others from the text, amount a whole number in [0, rows]; half in the paper. text,
 * sound, mixed [rows][latent]. Needs generator. */
typedef enum chl_mix { CHL_MIX_LINEAR, CHL_MIX_ROWS } chl_mix;
CHL_CHECKED chl_status chl_mix_latents(const chl_engine *engine, chl_mix mix, float amount,
                                       const float *text, const float *sound, float *mixed);

/* A direction is the difference of an edit's code and its source's, [rows][latent]. Along it the
 * change can be made in other pictures of the same generator without an optimisation: w = source +
 * strength direction. strength must be finite. source, direction, w [rows][latent]. Needs generator. */
CHL_CHECKED chl_status chl_apply_direction(const chl_engine *engine, const float *source,
                                           const float *direction, float strength, float *w);

/* --- edits over time -------------------------------------------------------------------------- */
/* As chl_edit, but the optimisation begins at `from`, an edit of the same source by a similar target,
 * so that few steps are enough. from [rows][latent]; of a shared space its offset counts, the mean
 * over the rows that may move. Rows that may not keep those of `from`.
 * CHL_ERR_UNSUPPORTED in whitened space. */
CHL_CHECKED chl_status chl_edit_from(chl_engine *engine, const chl_edit_options *options,
                                     const float *source, const float *target, const float *from,
                                     float *edited);
/* A smooth path through codes at equal distances: the code w [rows][latent] at a share of the way from
 * key number `from` to the next. key [keys][rows][latent]; from in [0, keys - 1], share in [0, 1], and 0
 * at the last key. A cubic per number, with a continuous slope and without overshooting: between two
 * keys no number leaves the range of theirs. Needs generator. */
CHL_CHECKED chl_status chl_path_at(const chl_engine *engine, int keys, const float *key, int from,
                                   float share, float *w);
/* How a picture may move with a sound: wave [samples], mono, 44 100 a second; motion [frames] in [-1,
 * 1], of the frames at i / fps seconds: the loudness against that of two seconds around, 12 dB louder
 * is 1. It rises at once, as at an onset, and dies away within a quarter of a second. */
CHL_CHECKED chl_status chl_sound_motion(int64_t samples, const float *wave, float fps, int frames,
                                        float *motion);

/* Inversion: the W+ code whose picture is nearest to a given one, by Adam from the mean of W on
 * pixel_weight (pixel L2) + clip_weight (CLIP distance, if clip is loaded) + mean_weight |w -
 * mean|^2. With an encoder (chl_engine_options) it begins at the encoder's code, and 0 steps are that
 * code. The progress callback gets the pixel loss as latent_loss. */
typedef struct chl_invert_options {
    uint32_t size;
    int steps;          /* 300; with an encoder 0 */
    float rate;         /* 0.05 */
    float pixel_weight; /* 1 */
    float clip_weight;  /* 0.1 */
    float mean_weight;  /* 0.0005: keeps w near the mean, where codes are editable */
    chl_progress_callback progress;
    void *user;
} chl_invert_options;
CHL_API void chl_invert_options_init(const chl_engine *engine, size_t size,
                                     chl_invert_options *options);
static inline chl_invert_options chl_invert_defaults(const chl_engine *engine) {
    chl_invert_options options;
    chl_invert_options_init(engine, sizeof options, &options);
    return options;
}
/* pixels [picture][picture][3] in [-1, 1]; w [rows][latent]. Needs generator. Errors as chl_edit.
 */
CHL_CHECKED chl_status chl_invert(chl_engine *engine, const chl_invert_options *options,
                                  const float *pixels, float *w);

/* Pivotal tuning [Roich et al. 2022]: the generator's own weights, but for its mapping network, move
 * by Adam until its picture of the code w is the given one: pixel_weight (pixel L2) + clip_weight (CLIP
 * distance, if clip is loaded). Everything that the engine does from then on is of the tuned
 * generator. The progress callback gets the pixel loss as latent_loss. */
typedef struct chl_tune_options {
    uint32_t size;
    int steps;          /* 100; 0: nothing changes */
    float rate;         /* 0.0003 */
    float pixel_weight; /* 1 */
    float clip_weight;  /* 0.1 */
    chl_progress_callback progress;
    void *user;
} chl_tune_options;
CHL_API void chl_tune_options_init(const chl_engine *engine, size_t size,
                                   chl_tune_options *options);
static inline chl_tune_options chl_tune_defaults(const chl_engine *engine) {
    chl_tune_options options;
    chl_tune_options_init(engine, sizeof options, &options);
    return options;
}
/* pixels [picture][picture][3] in [-1, 1]; w [rows][latent], usually of chl_invert. Needs generator.
 * CHL_ERR_CANCELLED has the weights reached so far; after another error they are those of before. */
CHL_CHECKED chl_status chl_tune(chl_engine *engine, const chl_tune_options *options,
                                const float *pixels, const float *w);
/* The weights of the file again. Needs generator. */
CHL_CHECKED chl_status chl_untune(chl_engine *engine);
/* Writes the generator as it is now, safetensors with NVIDIA's names; of one with classes the chosen
 * class alone. It makes the same pictures, bit for bit. Needs generator. */
CHL_CHECKED chl_status chl_write_generator(const chl_engine *engine, const char *path);

/* Cost of an edit, planned without running it. Never changes its layout. */
typedef struct chl_cost {
    int64_t weight_bytes;     /* weights in the layouts of the kernels, and constants */
    int64_t activation_bytes; /* values that live within a step */
    int64_t state_bytes;      /* values that live across steps: codes, Adam's moments */
    double flops_setup;       /* once */
    double flops_step;        /* per step */
    int nodes;                /* of the graph */
} chl_cost;
CHL_CHECKED chl_status chl_edit_cost(chl_engine *engine, const chl_edit_options *options,
                                     chl_cost *cost);
/* The same of chl_edit_many with n edits. What a process needs beside it: the program, its
 * libraries and the opened weight files. */
CHL_CHECKED chl_status chl_edit_many_cost(chl_engine *engine, const chl_edit_options *options,
                                          int n, chl_cost *cost);
/* The same of chl_invert, with the encoder's network where there is one: its memory stays until the
 * engine is closed. Steps are those of the optimisation, 0 FLOP without. */
CHL_CHECKED chl_status chl_invert_cost(chl_engine *engine, const chl_invert_options *options,
                                       chl_cost *cost);
/* The same of chl_tune: weights that move, and Adam's moments, are state. */
CHL_CHECKED chl_status chl_tune_cost(chl_engine *engine, const chl_tune_options *options,
                                     chl_cost *cost);

#ifdef __cplusplus
}
#endif
#endif
