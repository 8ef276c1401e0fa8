/* Training the models. */
#ifndef CHLADNI_TRAIN_H
#define CHLADNI_TRAIN_H
#include <chladni/status.h>
#ifdef __cplusplus
extern "C" {
#endif

/* --- training --------------------------------------------------------------------------------- */
/* Trains one model on a folder of paired sounds, pictures and words (docs/training.md), writes a
 * run folder, and resumes it after a kill, bit for bit on the same threads and instruction set. */
typedef struct chl_train_progress {
    int64_t step, steps; /* step counts from 1 */
    float loss, rate;
    double seconds, seconds_left;
} chl_train_progress;
typedef int (*chl_train_callback)(void *user, const chl_train_progress *progress);

typedef struct chl_train_options {
    uint32_t size;
    const char *model;  /* "audio", "clip", "generator"; with chladni/demo.h: "judge" */
    const char *data;   /* the folder */
    const char *out;    /* run folder; made when it is not there */
    int resume;         /* 1: go on from out's checkpoint; without one: start */
    const char *sizes;  /* of the network, "embed=48,depths=2-2-2,..."; NULL: the model's default */
    int64_t steps;      /* of the whole schedule */
    int64_t stop_after; /* 0, or end (with a checkpoint) after this step: the schedule stays */
    int64_t save_every; /* steps between checkpoints */
    int batch;
    float rate;                /* AdamW's peak learning rate; cosine cycle */
    int cycles;                /* of the cosine, 1 = one fall to 0 */
    float warm_up;             /* share of a cycle that rises linearly */
    float beta1, beta2, decay; /* Adam; decoupled weight decay, not on biases and norms */
    float average;             /* EMA of the weights; 0 = none */
    uint64_t seed;
    const char *start; /* weights to begin with: arrays of the same name and shape; NULL: random */
    const char *clip, *vocab; /* audio: the frozen CLIP pair and its merges; clip: merges */
    const char *generator;    /* clip: also learn from its pictures; may be NULL */
    const char *wordnet;      /* audio: folder of WordNet's data files, for synonyms; may be NULL */
    float weight_text, weight_image, weight_sound,
        weight_weak_pair; /* Eq. 13: L_at L_av L_aa L_kl */
    float tau_weak_pair;  /* of Eq. 9-12 */
    /* clip, needs a generator: how far its codes are moved against the encoder before it learns
     * from their pictures, at most; 1 = as far as mapped codes lie from their mean. 0: not */
    float adversary;
    /* generator, needs attributes.npy. 1: w itself begins with a picture's attributes and is 0
     * behind them, so that W has their measure; 0: they are linear functions of w. With `start` the
     * mapping is that model's: it has to be a measured one already */
    int measured_w;
    float mask_bands, mask_frames; /* SpecAugment: largest share of a mask, two of each */
    chl_train_callback progress;   /* non-zero: checkpoint, then CHL_ERR_CANCELLED */
    void *user;
} chl_train_options;
/* CHL_ERR_ARGUMENT for an unknown model. */
CHL_CHECKED chl_status chl_train_options_init(const char *model, size_t size,
                                              chl_train_options *options);
CHL_MUST_CHECK static inline chl_status chl_train_defaults(const char *model,
                                                           chl_train_options *options) {
    return chl_train_options_init(model, sizeof *options, options);
}
CHL_CHECKED chl_status chl_train(const chl_train_options *options);

#ifdef __cplusplus
}
#endif
#endif
