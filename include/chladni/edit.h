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

/* What is optimised. WHITENED: u with w = w_s + C^(1/2) u, C the covariance of mapped codes. L_reg
 * is then counted in u (a Mahalanobis distance), so that directions which mapped codes never take
 * cost most and edits stay near what the generator was trained on. Needs the mapping network.
 * SHARED: one step d for all rows, w = w_s + d: W instead of W+. What such a code gives is nearer
 * to what mapped codes give (the trade of distortion for editability of [Tov et al. 2021]). */
typedef enum chl_space { CHL_SPACE_W, CHL_SPACE_WHITENED, CHL_SPACE_SHARED } chl_space;

/* One step of the optimisation, as told to the progress callback. Of several edits at once: means.
 */
typedef struct chl_edit_progress {
    int step, steps;       /* step counts from 1 */
    float similarity_loss; /* L_sim */
    float latent_loss;     /* L_reg, before its weight */
    float identity_loss;   /* L_id, before its weight; 0 without a face encoder */
    float cosine;          /* <V(G(w)), a> */
    double seconds, seconds_left;
    const float *w; /* [n][rows][latent] as it is now (n = 1: chl_edit); valid during the call */
} chl_edit_progress;
/* Non-zero stops: the call returns CHL_ERR_CANCELLED with the results so far. */
typedef int (*chl_progress_callback)(void *user, const chl_edit_progress *progress);

typedef struct chl_edit_options {
    uint32_t size;
    int steps;  /* 300 */
    float rate; /* Adam's learning rate: 0.1; 0.05 with a face encoder */
    /* Adam's epsilon: 1e-8 (the paper) makes every number of a code move by about the rate, however
     * little it matters, and hundreds of them together find colours that please CLIP and show
     * nothing. An epsilon above the gradients (0.01, with a rate of 0.5 to 1) is descent with
     * momentum: what matters moves. */
    float adam_eps;
    uint64_t seed;
    float latent_weight; /* lambda_sim of Eq. 14, the weight of L_reg: 0.008 faces, 0.002 scenes */
    /* p > 0: L_reg's weight is latent_weight (share of the steps done)^p, so that an edit first
     * finds what the sound says and then takes back what that does not need. 0: latent_weight
     * throughout (the paper). */
    float latent_weight_rise;
    /* 0 (the paper): L_reg as it is. s > 0: L_reg times s over the mean squared distance of mapped
     * codes from their centre, so that one weight means the same for every generator: with s = 1
     * it is the price of moving one row as far as mapped codes usually lie from the centre. */
    float latent_scale;
    float identity_weight; /* lambda_ID, the weight of L_id: 0.005; only with a face encoder */
    chl_similarity similarity;
    float margin;         /* hinge: 1 */
    const float *neutral; /* directional: [embedding] */
    chl_space space;      /* W (the paper) */
    int adaptive_mask;    /* 1: layer weights g are learned too (Eq. 16-17); 0: all equal */
    /* Learning rate of the layer weights g, over that of w: 1 (the paper). Their gradient always
     * favours the layer that moved least, so that at 1 it ends with nearly all the weight and L_reg
     * holds the others no more; 0.05 leaves a preference. */
    float mask_rate;
    chl_progress_callback progress;
    void *user;
} chl_edit_options;
CHL_API void chl_edit_options_init(const chl_engine *engine, size_t size,
                                   chl_edit_options *options);
static inline chl_edit_options chl_edit_defaults(const chl_engine *engine) {
    chl_edit_options options;
    chl_edit_options_init(engine, sizeof options, &options);
    return options;
}

/* argmin_w L_sim + latent_weight L_reg + identity_weight L_id (Eq. 14) by Adam from `source`.
 * source, edited [rows][latent]; target [embedding]; mask NULL or [rows]: softmax(g) at the end.
 * CHL_ERR_NUMERIC when a loss stops being finite: `edited` then holds the last finite code. */
CHL_CHECKED chl_status chl_edit(chl_engine *engine, const chl_edit_options *options,
                                const float *source, const float *target, float *edited,
                                float *mask);

/* n edits in one optimisation, each as chl_edit alone would do it up to rounding, for throughput:
 * source, edited [n][rows][latent]; target [n][embedding]; mask NULL or [n][rows]. Memory grows
 * with n. CHL_ERR_NUMERIC when a loss of any of them stops being finite: that one keeps its last
 * finite code (and a mask of zeros), the others are edited to the end. */
CHL_CHECKED chl_status chl_edit_many(chl_engine *engine, const chl_edit_options *options, int n,
                                     const float *source, const float *target, float *edited,
                                     float *mask);

/* Two edits of one source, by a text and by a sound, as one code. LINEAR: amount text +
 * (1 - amount) sound, amount in [0,1] (Eq. 19). ROWS: the first `amount` rows (coarse layers) from
 * the sound, the others from the text; the paper takes half. All codes [rows][latent]. */
typedef enum chl_mix { CHL_MIX_LINEAR, CHL_MIX_ROWS } chl_mix;
CHL_CHECKED chl_status chl_mix_latents(const chl_engine *engine, chl_mix mix, float amount,
                                       const float *text, const float *sound, float *mixed);

/* The W+ code whose picture is nearest to the given one: pixel L2 + CLIP distance, Adam from the
 * mean w. pixels [picture][picture][3]. The progress callback sees pixel loss as latent_loss. */
typedef struct chl_invert_options {
    uint32_t size;
    int steps;          /* 300 */
    float rate;         /* 0.05 */
    float pixel_weight; /* 1 */
    float clip_weight;  /* 0.1 */
    float mean_weight;  /* 0.0005: keeps near the mean w, where edits behave */
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
CHL_CHECKED chl_status chl_invert(chl_engine *engine, const chl_invert_options *options,
                                  const float *pixels, float *w);

/* What an edit will need, without doing it. */
typedef struct chl_cost {
    int64_t weight_bytes, activation_bytes, state_bytes;
    double flops_setup, flops_step;
    int nodes;
} chl_cost;
CHL_CHECKED chl_status chl_edit_cost(chl_engine *engine, const chl_edit_options *options,
                                     chl_cost *cost);

#ifdef __cplusplus
}
#endif
#endif
