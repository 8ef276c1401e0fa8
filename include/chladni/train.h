/* Training the models. */
#ifndef CHLADNI_TRAIN_H
#define CHLADNI_TRAIN_H
#include <chladni/engine.h>
#ifdef __cplusplus
extern "C" {
#endif

/* --- training --------------------------------------------------------------------------------- */
/* Trains one model on a folder of paired sounds, pictures and captions (docs/training.md) and
 * writes a run folder. A run that was stopped or killed resumes from its checkpoint; on the same
 * number of threads and instruction set the result is bit for bit that of an uninterrupted run. */
typedef struct chl_train_progress {
    int64_t step, steps; /* step counts from 1 */
    float loss, rate;
    double seconds, seconds_left;
} chl_train_progress;
/* A return value other than 0 stops: a checkpoint is written, the call returns CHL_ERR_CANCELLED.
 */
typedef int (*chl_train_callback)(void *user, const chl_train_progress *progress);

typedef struct chl_train_options {
    uint32_t size;
    /* "audio", "classifier", "clip", "generator", "gan", "encoder"; with chladni/demo.h: "judge" */
    const char *model;
    const char *data;   /* the folder, or another source: docs/training.md */
    const char *out;    /* run folder; created if it does not exist */
    int resume;         /* 1: continue from out's checkpoint, or start if there is none */
    const char *sizes;  /* of the network: "embed=48,depths=2-2-2,..."; NULL: the model's own */
    int64_t steps;      /* of the whole schedule, >= 1 */
    int64_t stop_after; /* stop with a checkpoint after this step of the schedule; 0: never */
    int64_t save_every; /* steps between checkpoints; 0: at the end only */
    int batch;          /* samples per step */
    float rate;         /* the peak learning rate, > 0 */
    int cycles;         /* of the schedule; 1: one fall; 0: the rate stays at its peak */
    float warm_up;      /* share of a cycle with linearly rising rate, [0, 1) */
    float beta1, beta2, decay; /* of Adam; weight decay, not on biases and norms */
    float average;             /* decay of the moving average of the weights; 0: none */
    uint64_t seed;
    /* Initial weights, for arrays of the same name and shape, of a checkpoint of the same name and count;
     * NULL: random */
    const char *start;
    /* audio: the frozen CLIP pair and its merges; clip: merges; gan: whose picture embeddings FID and KID
     * compare, or none; encoder: whose picture embeddings its loss compares, or none */
    const char *clip, *vocab;
    /* clip: also learn from its pictures; may be NULL. encoder: whose codes it is to find */
    const char *generator;
    const char *wordnet; /* audio: folder of WordNet's data files, for synonyms; may be NULL */
    float weight_text, weight_image, weight_sound,
        weight_weak_pair; /* of Eq. 13's L_at, L_av, L_aa, L_kl */
    float tau_weak_pair;  /* temperature of Eq. 9-12 */
    /* clip, needs generator: max. distance by which the generator's codes are moved to raise the
     * encoder's loss before it trains on their pictures; 1 is the distance of mapped codes from
     * their mean. 0: none */
    float adversary;
    /* generator, needs attributes.npy. 1: the first components of w equal the picture's attributes,
     * the others are 0; 0: the attributes are linear functions of w. With `start` the mapping
     * network is that model's, which must have been trained with 1 */
    int measured_w;
    float mask_bands, mask_frames; /* SpecAugment: max. share of a mask, two masks of each */
    chl_train_callback progress;
    void *user;
    const char *device; /* "cpu", "cuda", "cuda:N"; NULL or "auto": a GPU where there is one */
    /* Of activations; the default is float32. Weights, their gradients, Adam's moments, averages
     * and losses are always float32. CHL_ERR_UNSUPPORTED for bf16 on the CPU */
    chl_precision precision;
    /* Max. batches that a thread of their own makes ahead of the step, at most 16. 0: one on a GPU,
     * none on the CPU, whose threads all compute the step already. Changes no number */
    int ahead;
    /* This process is number `rank` (from 0) of `ranks` that compute each step together, every one
     * on batch / ranks samples; 0 or 1: it is alone. All must be given the same options but `rank`
     * and `device`. Rank 0 writes the run folder; the others write log-1.txt, log-2.txt, ... there.
     * The result is that of one process up to rounding. A rank that fails or dies ends all. */
    int ranks, rank;
    /* Where the ranks find each other, with ranks > 1: "file:PATH", a new file of this job that all
     * ranks, on one machine, can write; "fd:N": the same, open as number N in each; "mpi": where
     * mpirun or srun has started them, on one machine or several */
    const char *meeting;
    /* audio: the network. "swin", the paper's and the default; "resnet18", its predecessor's */
    const char *encoder;
    /* Passes over the data, each of all full batches. > 0 sets `steps`, once the data is opened */
    int epochs;
    const char *recipe; /* where the options come from, for options.json; NULL: nowhere */
    /* With ranks > 1: whether this process has been told to stop, asked with `user` while it waits
     * for other ranks, perhaps by another thread. Where these do not come for some seconds, all end
     * with CHL_ERR_CANCELLED and without a checkpoint. NULL: they wait on */
    int (*told_to_stop)(void *user);
    /* Checkpoints that are kept: the newest as checkpoint.safetensors, the others as
     * checkpoint-STEP.safetensors; 0: the default, 2. A run resumes from the newest that is whole */
    int keep;
    /* audio, clip without adversary: of how many samples a network's activations are in memory at a
     * time; must divide batch / ranks; 0: all. A smaller one costs another forward pass. The result
     * is that of the whole batch up to rounding */
    int64_t micro_batch;
    /* With ranks > 1: bytes of gradients that are summed over the ranks at a time; on a GPU a sum
     * runs beside the backward pass of the layers below. 0: 25 MiB. Changes no number */
    int64_t bucket;
    /* gan: what the discriminator sees is augmented: "blit", "geom", "color", "filter", "noise",
     * "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"; NULL, "none".
     * audio: "sound" draws what recordings do to sounds anew for every sample and step (cuts, loops,
     * backgrounds, equaliser, rooms, band limits, codecs, gain: docs/training.md); NULL, "none" */
    const char *augment;
    /* audio: which samples make a batch. NULL, "none": each once an epoch. "label": a kind (of lines
     * without one a label) uniformly, then a sample of it; "source": between the two one of the
     * kind's sources */
    const char *balance;
    /* audio: what a sound shorter than ten seconds is in the encoder's picture. NULL, "pad": followed
     * by silence; "repeat": repeated (CHL_MEL_REPEATED), also by whoever opens the trained model */
    const char *short_sounds;
    /* Of a source with splits or folds only these, "train" or "1,2,3,4"; NULL: all */
    const char *split;
    /* Share of the clips or pictures that may be missing or unreadable; they are named in left-out.txt and
     * others take their places. 0: none may */
    float tolerate;
    /* Bytes of decoded sounds and pictures that a process keeps; what does not fit is decoded at each
     * use. 0: 4 GiB. Changes no number */
    int64_t memory;
    /* audio: folder that keeps the embeddings of texts and pictures for all runs and ranks that share it;
     * NULL: none. Changes no number */
    const char *cache;
    /* NULL, "adamw": Adam with decoupled weight decay; "sgd": gradient descent with momentum, whose
     * weight decay is part of the gradient (as torch.optim.SGD's) */
    const char *optimizer;
    /* Of the learning rate, in each cycle after a linear rise. NULL, "cosine": it falls by half a
     * cosine; "triangle": in a straight line */
    const char *schedule;
    float momentum;    /* of sgd, [0, 1) */
    float lowest_rate; /* from which the rate rises and to which it falls, [0, rate] */
    /* audio: 1: `cache` also keeps the mel pictures of sounds, a byte a number, so that later epochs and
     * runs do not decode them. Numbers are rounded to 1/255 in every epoch. Not with augment sound */
    int cache_mels;
    /* --- gan: adversarial training (docs/training.md) */
    int resolution; /* pixels on a side, a power of two; 0: 256 */
    /* Gamma of the R1 penalty, taken at every 16th step. 0: 0.0002 resolution^2 / batch; below 0: no
     * penalty */
    float r1;
    float path_length; /* weight of the path length penalty, taken at every 4th step; 0: none */
    float mixing;      /* probability that a batch's codes are those of two z, in [0, 1] */
    /* Of the discriminator; 0: rate. Both are divided by 1 + 1/interval for a lazy penalty */
    float rate_critic;
    /* Half-life of the generator's average in thousands of pictures, which is what is saved for use; 0:
     * batch * 10 / 32. `average` is not looked at */
    float average_kimg;
    float
        average_ramp; /* the half-life is at most this share of the pictures so far; 0: no bound */
    int mirror;       /* 1: half of the pictures, drawn anew, are mirrored left to right */
    float augment_p;  /* probability of each transformation of augment, at most 1; 0: adaptive */
    float augment_target; /* adaptive: of the mean sign of the scores of the data set's pictures */
    float augment_kimg;   /* adaptive: thousands of pictures in which the probability moves by 1 */
    int conditional;      /* 1: the labels of the pictures are classes, of both networks */
    int group;            /* samples of a minibatch deviation; must divide batch / ranks. 0: 4 */
    /* Steps between sheets of the generator's pictures, fakes-STEP.png; 0: at the end only */
    int64_t pictures_every;
    /* gan: the generator. NULL, "stylegan2"; "stylegan3-t", "stylegan3-r", from 16 pixels on: the recipes of
     * these names set what belongs to them */
    const char *network;
    /* gan: what the discriminator sees is blurred at first by 2^-(x / sigma)^2 of so many pixels, which
     * fall to 0 over blur_kimg thousand pictures (0: batch * 200 / 32). 0: no blur */
    float blur_sigma, blur_kimg;
    /* --- encoder: for inversion (docs/training.md) */
    const char *face; /* face encoder of the identity loss; NULL: none */
    /* Weights of the losses: of pixels; CLIP's distance, with clip; the identity's, with face; the lengths
     * of what the rows of a code add to the first */
    float weight_pixels, weight_clip, weight_identity, weight_delta;
    /* audio: two sounds of a batch whose texts have at least this cosine are no negatives of each other in the
     * sound-text loss: "rain" and "rain falling" say the same. 0: all others are negatives (the paper) */
    float near_texts;
    float weight_cosine; /* audio: of 1 - the cosine of a sound and its text; 0: none (the paper) */
} chl_train_options;
/* The defaults depend on the model. CHL_ERR_ARGUMENT for an unknown one. */
CHL_CHECKED chl_status chl_train_options_init(const char *model, size_t size,
                                              chl_train_options *options);
CHL_MUST_CHECK static inline chl_status chl_train_defaults(const char *model,
                                                           chl_train_options *options) {
    return chl_train_options_init(model, sizeof *options, options);
}
/* A named set of options of one model. Texts live as long as the process. */
typedef struct chl_train_recipe {
    const char *name, *model;
    const char *about; /* one line */
} chl_train_recipe;
/* From 0; NULL behind the last. */
CHL_API const chl_train_recipe *chl_train_recipe_at(int index);
/* Sets the fields that the recipe of options->model names, and `recipe`; the others stay, and what
 * is set afterwards counts. CHL_ERR_ARGUMENT with the model's recipes for an unknown one. `size` is
 * that of *options. */
CHL_CHECKED chl_status chl_train_options_recipe(const char *recipe, size_t size,
                                                chl_train_options *options);
/* Needs model, data and out. CHL_ERR_ARGUMENT for a field that the model's training does not read and
 * that is neither 0 nor its default. Where a batch cannot be made the step before is saved.
 * CHL_ERR_NUMERIC when a loss is not finite; the checkpoint before that step stays. CHL_ERR_RANK where another rank has failed first. */
CHL_CHECKED chl_status chl_train(const chl_train_options *options);

#ifdef __cplusplus
}
#endif
#endif
