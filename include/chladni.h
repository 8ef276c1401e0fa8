/* chladni: pictures edited by sound.
 *
 *     chl_engine_options options = {.size = sizeof options,
 *                                   .generator = "ffhq.pt", .clip = "ViT-B-32.pt",
 *                                   .audio = "swin-audio.pth"};
 *     chl_engine *engine;
 *     if (chl_engine_open(&options, &engine) != CHL_OK) { fputs(chl_error(), stderr); return 1; }
 *     chl_engine_sizes size = chl_engine_get_sizes(engine);
 *     float *source = malloc(sizeof(float) * size.rows * size.latent);
 *     float *edited = malloc(sizeof(float) * size.rows * size.latent);
 *     float target[CHL_MOST_EMBEDDING];
 *     chl_seed_latent(engine, 7, 0.7f, source);                  a picture to start from
 *     chl_embed_sound(engine, "rain.wav", target);               what it should look like
 *     chl_edit_options edit = chl_edit_defaults(engine);
 *     chl_edit(engine, &edit, source, target, edited, NULL);     the paper's Eq. 14
 *     chl_generate(engine, 1, edited, pixels);
 *     chl_picture_write("out.png", size.picture, size.picture, pixels);
 *     chl_engine_close(engine);
 *
 * Every function that can fail returns a chl_status; the text is chl_error(), per thread.
 * Nothing prints, nothing exits: text goes to the log callback, progress to the progress callback.
 * Thread safety: an engine is used by one thread at a time; different engines are independent (they
 * share the machine's cores). Callbacks run on the calling thread. Log callback: process-wide.
 *
 * Pictures are float32 NHWC, RGB, in [-1, 1]. Latents are W+ codes: float32 [rows][latent],
 * rows = 2 log2(picture) - 2 [Karras et al. 2020]. Embeddings are float32, unit length.
 * Paper: "Robust Sound-Guided Image Manipulation"; equation numbers are the paper's.
 * The header is plain C99 and C++. */
#ifndef CHLADNI_H
#define CHLADNI_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#define CHL_API __attribute__((visibility("default")))
#else
#define CHL_API
#endif

/* What a call came to. 0 is success; the text that belongs to any other value is chl_error(). */
typedef enum chl_status {
    CHL_OK = 0,
    CHL_ERR_ARGUMENT,    /* the caller asked for something that makes no sense */
    CHL_ERR_SHAPE,       /* sizes that do not fit together */
    CHL_ERR_MEMORY,      /* out of memory */
    CHL_ERR_IO,          /* a file could not be opened, read or written */
    CHL_ERR_FORMAT,      /* a file is damaged, lies about itself, or is of an unknown kind */
    CHL_ERR_KEY,         /* a weight is missing or not known */
    CHL_ERR_UNSUPPORTED, /* understood, but this build or backend cannot do it */
    CHL_ERR_NUMERIC,     /* NaN or infinity where a number was needed */
    CHL_ERR_CANCELLED,   /* a callback asked to stop; results so far are valid */
    CHL_ERR_INTERNAL     /* a defect of the engine */
} chl_status;

/* The text of this thread's last failed call: what, where, which file, which key, what to do.
 * Valid until this thread's next failing call. Never NULL. */
CHL_API const char *chl_error(void);
/* "0.1.0" */
CHL_API const char *chl_version(void);
/* Backends, threads, instruction set and libraries of this build and machine, a line each. */
CHL_API const char *chl_build_info(void);

typedef enum chl_log_level { CHL_LOG_DEBUG, CHL_LOG_INFO, CHL_LOG_WARN } chl_log_level;
typedef void (*chl_log_callback)(void *user, chl_log_level level, const char *line);
/* Where log lines go; NULL (as at first): nowhere. Set it before other threads use the library. */
CHL_API void chl_log_to(chl_log_callback callback, void *user);

/* --- opening models --------------------------------------------------------------------------- */
typedef struct chl_engine chl_engine;

/* How sound becomes the encoder's picture (docs/method.md). AUTO: compatible for files in an
 * upstream layout, absolute for encoders trained by this engine. */
typedef enum chl_mel_mode { CHL_MEL_AUTO, CHL_MEL_COMPATIBLE, CHL_MEL_ABSOLUTE } chl_mel_mode;

/* Of what networks compute between their input and their last pooling: AUTO is bf16 with float32
 * sums where the device has it (a GPU), float32 on the CPU; asking the CPU for bf16 is an error.
 * Styles, embeddings, losses, gradients of weights and Adam's state are float32 always. */
typedef enum chl_precision {
    CHL_PRECISION_AUTO,
    CHL_PRECISION_FLOAT32,
    CHL_PRECISION_BF16
} chl_precision;

/* Zero-initialise, set `size`, name the files you have; what is NULL is not loaded, and calls that
 * need it fail with a text that says so. Formats: safetensors, PyTorch .pt/.pth (zip, legacy,
 * TorchScript), NVIDIA .pkl; upstream names (docs/weights.md). Nothing in a file is executed. */
typedef struct chl_engine_options {
    uint32_t size;
    const char *generator; /* StyleGAN2: stylegan2-ada-pytorch or rosinality */
    const char *clip;      /* CLIP ViT: OpenAI, open_clip, Hugging Face */
    const char *vocab;     /* CLIP's BPE merges: bpe_simple_vocab_16e6.txt(.gz) or merges.txt */
    const char *audio;     /* audio encoder: Swin, or the predecessor's ResNet-18 */
    const char *face;      /* ArcFace IR-SE50 */
    const char *device;    /* "cpu", "cuda", "cuda:N"; NULL or "auto": a GPU where there is one */
    chl_mel_mode mel;
    int clip_exact_gelu; /* 1: the CLIP file was trained with GELU, not QuickGELU */
    int clip_compatible; /* 1: the paper's authors' picture preprocessing (no mean, no deviation) */
    float conv_clamp; /* generator: 0 = by the file's kind (256 ada, none rosinality); < 0 none */
    chl_precision precision;
} chl_engine_options;

CHL_API chl_status chl_engine_open(const chl_engine_options *options, chl_engine **out);
CHL_API void chl_engine_close(chl_engine *engine); /* NULL is fine */

/* 0 where the model is not loaded. */
typedef struct chl_engine_sizes {
    int picture;   /* pixels on a side */
    int rows;      /* of a W+ code */
    int latent;    /* numbers in a row */
    int z;         /* numbers in a z */
    int embedding; /* of CLIP and the audio encoder */
    int face;      /* of the face encoder */
} chl_engine_sizes;
CHL_API chl_engine_sizes chl_engine_get_sizes(const chl_engine *engine);
#define CHL_MOST_EMBEDDING 4096 /* no embedding is longer */

/* --- generating ------------------------------------------------------------------------------- */
/* z drawn from `seed` (the same on every machine), mapped, truncated towards the mean w by
 * `truncation` (1 = not, 0.7 usual). w [rows][latent]. */
CHL_API chl_status chl_seed_latent(chl_engine *engine, uint64_t seed, float truncation, float *w);
/* w [count][rows][latent] -> pixels [count][picture][picture][3]; not clamped */
CHL_API chl_status chl_generate(chl_engine *engine, int count, const float *w, float *pixels);

/* --- embedding -------------------------------------------------------------------------------- */
CHL_API chl_status chl_embed_sound(chl_engine *engine, const char *path, float *embedding);
/* The same sound made louder (or, below 0, quieter) by `gain_db` before the encoder hears it.
 * CHL_ERR_ARGUMENT in compatible mode, where a gain other than 0 would change nothing. */
CHL_API chl_status chl_embed_sound_level(chl_engine *engine, const char *path, float gain_db,
                                         float *embedding);
CHL_API chl_status chl_embed_text(chl_engine *engine, const char *utf8, float *embedding);
/* pixels [height][width][3] in [-1,1]: centre square, area resize, CLIP */
CHL_API chl_status chl_embed_picture(chl_engine *engine, int height, int width, const float *pixels,
                                     float *embedding);
/* pixels as an aligned face (FFHQ's crop) -> [face] */
CHL_API chl_status chl_embed_face(chl_engine *engine, int height, int width, const float *pixels,
                                  float *embedding);

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
    int steps;               /* 300 */
    float rate;              /* Adam's learning rate: 0.1; 0.05 with a face encoder */
    float lambda_similarity; /* weight of L_reg, Eq. 14: 0.008 faces, 0.002 scenes */
    float lambda_identity;   /* weight of L_id: 0.005; only with a face encoder */
    chl_similarity similarity;
    float margin;         /* hinge: 1 */
    const float *neutral; /* directional: [embedding] */
    int adaptive_mask;    /* 1: layer weights g are learned too (Eq. 16-17); 0: all equal */
    uint64_t seed;
    chl_progress_callback progress;
    void *user;
    /* 0 (the paper): L_reg as it is. s > 0: L_reg times s over the mean squared distance of mapped
     * codes from their centre, so that one lambda means the same for every generator: with s = 1
     * lambda is the price of moving one row as far as mapped codes usually lie from the centre. */
    float latent_scale;
    chl_space space; /* W (the paper) */
    /* Learning rate of the layer weights g, over that of w: 1 (the paper). Their gradient always
     * favours the layer that moved least, so that at 1 it ends with nearly all the weight and L_reg
     * holds the others no more; 0.05 leaves a preference. */
    float mask_rate;
    /* Adam's epsilon: 1e-8 (the paper) makes every number of a code move by about the rate, however
     * little it matters, and hundreds of them together find colours that please CLIP and show
     * nothing. An epsilon above the gradients (0.01, with a rate of 0.5 to 1) is descent with
     * momentum: what matters moves. */
    float adam_eps;
    /* p > 0: L_reg's weight is lambda (share of the steps done)^p, so that an edit first finds what
     * the sound says and then takes back what that does not need. 0: lambda throughout (the paper).
     */
    float lambda_rise;
} chl_edit_options;
CHL_API chl_edit_options chl_edit_defaults(const chl_engine *engine);

/* argmin_w L_sim + lambda_similarity L_reg + lambda_identity L_id (Eq. 14) by Adam from `source`.
 * source, edited [rows][latent]; target [embedding]; mask NULL or [rows]: softmax(g) at the end.
 * CHL_ERR_NUMERIC when a loss stops being finite: `edited` then holds the last finite code. */
CHL_API chl_status chl_edit(chl_engine *engine, const chl_edit_options *options,
                            const float *source, const float *target, float *edited, float *mask);

/* n edits in one optimisation, each as chl_edit alone would do it up to rounding, for throughput:
 * source, edited [n][rows][latent]; target [n][embedding]; mask NULL or [n][rows]. Memory grows
 * with n. CHL_ERR_NUMERIC when a loss of any of them stops being finite: that one keeps its last
 * finite code (and a mask of zeros), the others are edited to the end. */
CHL_API chl_status chl_edit_many(chl_engine *engine, const chl_edit_options *options, int n,
                                 const float *source, const float *target, float *edited,
                                 float *mask);

/* Two edits of one source, by a text and by a sound, as one code. LINEAR: amount text +
 * (1 - amount) sound, amount in [0,1] (Eq. 19). ROWS: the first `amount` rows (coarse layers) from
 * the sound, the others from the text; the paper takes half. All codes [rows][latent]. */
typedef enum chl_mix { CHL_MIX_LINEAR, CHL_MIX_ROWS } chl_mix;
CHL_API chl_status chl_mix_latents(const chl_engine *engine, chl_mix mix, float amount,
                                   const float *text, const float *sound, float *mixed);

/* The W+ code whose picture is nearest to the given one: pixel L2 + CLIP distance, Adam from the
 * mean w. pixels [picture][picture][3]. The progress callback sees pixel loss as latent_loss. */
typedef struct chl_invert_options {
    uint32_t size;
    int steps;          /* 300 */
    float rate;         /* 0.05 */
    float lambda_pixel; /* 1 */
    float lambda_clip;  /* 0.1 */
    float lambda_mean;  /* 0.0005: keeps near the mean w, where edits behave */
    chl_progress_callback progress;
    void *user;
} chl_invert_options;
CHL_API chl_invert_options chl_invert_defaults(const chl_engine *engine);
CHL_API chl_status chl_invert(chl_engine *engine, const chl_invert_options *options,
                              const float *pixels, float *w);

/* What an edit will need, without doing it. */
typedef struct chl_cost {
    int64_t weight_bytes, activation_bytes, state_bytes;
    double flops_setup, flops_step;
    int nodes;
} chl_cost;
CHL_API chl_status chl_edit_cost(chl_engine *engine, const chl_edit_options *options,
                                 chl_cost *cost);

/* --- files ------------------------------------------------------------------------------------ */
/* PNG or JPEG -> pixels [height][width][3] in [-1,1], to be released with chl_release. */
CHL_API chl_status chl_picture_read(const char *path, int *height, int *width, float **pixels);
/* The same, centre-cropped to a square and brought to side x side (antialiased bicubic). */
CHL_API chl_status chl_picture_read_square(const char *path, int side, float **pixels);
/* 8-bit RGB PNG, values clamped; written beside and renamed into place. */
CHL_API chl_status chl_picture_write(const char *path, int height, int width, const float *pixels);
/* A contact sheet: equal pictures in a grid, row by row, `gap` white pixels between neighbours, as
 * one PNG. pictures [rows * columns], each [height][width][3]; NULL leaves the cell white. */
CHL_API chl_status chl_picture_grid(const char *path, int rows, int columns, int height, int width,
                                    int gap, const float *const *pictures);
/* float32 .npy; `dim` has room for 6. Release with chl_release. */
CHL_API chl_status chl_array_read(const char *path, int *rank, int64_t *dim, float **data);
CHL_API chl_status chl_array_write(const char *path, int rank, const int64_t *dim,
                                   const float *data);
/* A sound as the encoder sees it: log-mel of the whole file [bands][frames] in [0,1]. */
CHL_API chl_status chl_mel_of_sound(const char *path, chl_mel_mode mode, int *bands,
                                    int64_t *frames, float **data);
CHL_API void chl_release(void *memory);

/* --- the demo's world ------------------------------------------------------------------------- */
/* Writes a folder of samples from a small procedural world, as trainings read it
 * (docs/training.md). Built with CHLADNI_WORLD=OFF all of this is CHL_ERR_UNSUPPORTED; nothing else
 * needs it. */
typedef enum chl_world_split {
    CHL_WORLD_TRAIN, /* sounds by all but the held-out way of synthesis; the planted bias */
    CHL_WORLD_TEST,  /* the held-out way only, no bias */
    CHL_WORLD_CALM   /* scenes without an event, no sounds: pictures to edit */
} chl_world_split;
/* Non-zero stops: CHL_ERR_CANCELLED, and no pairs.jsonl. */
typedef int (*chl_world_callback)(void *user, int64_t done, int64_t count);

typedef struct chl_world_options {
    uint32_t size;
    const char *out; /* folder; made when it is not there */
    int64_t count;
    uint64_t seed; /* splits of one seed share nothing */
    chl_world_split split;
    int side;      /* of a picture: 128 */
    float seconds; /* mean length of a sound: 6 */
    int no_sounds; /* 1: pictures and latents only, a sixth of them without an event */
    float bias;    /* 0.8: share of the training samples that have their kind's favourite time of
                      day, season and house */
    float
        least_strength; /* 0.25: strengths are drawn from here to 1. An edit of a calm scene passes
                           where an event is hardly seen: a generator may want to know that */
    float second_event; /* 0: share of the pictures with an event that show a weaker second one, and
                           have no label; only with no_sounds */
    int force;          /* 1: into a folder that holds something already */
    chl_world_callback progress;
    void *user;
} chl_world_options;
CHL_API chl_world_options chl_world_defaults(void);
CHL_API chl_status chl_world_write(const chl_world_options *options);
/* One sound as WAV. kind: "rain", "ocean waves" or one word of it; algorithm 0 ... 3; strength
 * [0,1]; recorded 1: with the room, the noise and the microphone of a recording. */
CHL_API chl_status chl_world_sound(const char *kind, int algorithm, float strength, int recorded,
                                   uint64_t seed, float seconds, const char *path);
/* One picture as PNG. kind NULL: without an event. */
CHL_API chl_status chl_world_picture(const char *kind, float strength, uint64_t seed, int side,
                                     const char *path);

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
    const char *model;  /* "audio", "clip", "generator" or "judge" */
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
CHL_API chl_status chl_train_defaults(const char *model, chl_train_options *options);
CHL_API chl_status chl_train(const chl_train_options *options);

/* --- evaluation ------------------------------------------------------------------------------- */
/* Reports are JSON texts (docs/evaluation.md); release them with chl_release. Everything is a
 * function of files, options and seeds. */
/* Non-zero stops: CHL_ERR_CANCELLED. */
typedef int (*chl_eval_callback)(void *user, const char *what, int64_t done, int64_t count);

/* Zero-shot classification (Table 1): the label whose text embedding is nearest to the sound's. A
 * label's embedding is the mean over prompts, in which "{}" stands for the label. */
#define CHL_EVAL_PROMPTS "{}", "a {}"
typedef struct chl_zero_shot_options {
    uint32_t size;
    int labels;
    const char *const *label; /* may be missing with a folder: its kinds are the labels */
    int prompts;
    const char *const *prompt; /* 0: CHL_EVAL_PROMPTS */
    const char *sound;         /* one file: {"top1": ..., "scores": {label: cosine}} */
    const char *data;          /* or a folder: pairs.jsonl with kinds, or LABEL/<sound files>:
                                  accuracy, per label, confusion */
    int64_t limit;             /* 0, or this many sounds, of all labels alike */
    chl_eval_callback progress;
    void *user;
} chl_zero_shot_options;
CHL_API chl_status chl_evaluate_zero_shot(chl_engine *engine, const chl_zero_shot_options *options,
                                          char **report);

/* Edits of calm scenes by held-out sounds, judged by a network that had no part in them
 * (`chladni train --model judge`). */
typedef struct chl_trial_options {
    uint32_t size;
    const char *judge;     /* its weights */
    const char *sources;   /* folder with latents.npy: what is edited */
    const char *sounds;    /* folder with sounds and kinds; its latents, where there are any, are
                              the scenes of the gate */
    const char *biased;    /* NULL, or the folder that the audio encoder was trained on: what it
                              may have learnt beside the sound */
    int scenes;            /* sources: the first 20 */
    int batch;             /* edits at once: 10 */
    float least_strength;  /* of the sounds: 0 = all of them */
    int by_label;          /* 1: guided by the sounds' labels (the kind's name where there is none)
                              as texts instead: what is left is not the sound encoder's doing. No
                              louder and louder sounds then */
    uint64_t seed;         /* which sound meets which source */
    chl_edit_options edit; /* its callback is not used */
    int gate;              /* 200: pictures to check the judge on; 0 = none */
    int intensity;         /* 5: sources per kind for louder and louder sounds; 0 = none */
    const char *louder;    /* "rain,fire,wind" */
    int levels;            /* 7, from the quietest up to the sound as it is ... */
    float level_step;      /* ... this many dB apart: 4 */
    int directions;        /* sources that are also edited by text (Table 2): 0 */
    const char *sheet;     /* NULL, or a PNG: a row per source, the source and an edit per kind */
    int sheet_rows;        /* at most: 20 */
    chl_eval_callback progress;
    void *user;
} chl_trial_options;
CHL_API chl_trial_options chl_trial_defaults(const chl_engine *engine);
CHL_API chl_status chl_evaluate_edits(chl_engine *engine, const chl_trial_options *options,
                                      char **report);

/* The same figures for groups of audio encoders that differ in one thing (trained with L_kl and
 * without; several seeds each): means and 95 % intervals. */
typedef struct chl_ablation_group {
    const char *name;
    int encoders;
    const char *const *audio; /* weight files */
    int fixed_mask;           /* 1: edits with all layer weights equal */
} chl_ablation_group;
typedef struct chl_ablation_options {
    uint32_t size;
    chl_engine_options models; /* `audio` is not used */
    int groups;
    const chl_ablation_group *group;
    chl_zero_shot_options zero_shot; /* of a folder; data NULL = not measured */
    chl_trial_options trial;         /* sources NULL = not measured */
} chl_ablation_options;
CHL_API chl_status chl_evaluate_ablation(const chl_ablation_options *options, char **report);

/* --- weights ---------------------------------------------------------------------------------- */
/* One call per array of a weight file: its name, "f32" or "i32", shape. */
typedef void (*chl_array_callback)(void *user, const char *name, const char *dtype, int rank,
                                   const int64_t *dim);
CHL_API chl_status chl_weights_inspect(const char *path, chl_array_callback callback, void *user);
/* Any readable file -> safetensors, names as stored. FLOAT16 rounds (half the size, three decimal
 * digits); CHL_ERR_NUMERIC for a value beyond its range, 65504. */
typedef enum chl_float_format { CHL_FLOAT32, CHL_FLOAT16 } chl_float_format;
CHL_API chl_status chl_weights_convert(const char *from, chl_float_format format, const char *to);
/* Small random models, for trying things out: kind is "generator", "clip", "audio" or "face". They
 * know nothing: an edit with them shows that the machinery runs, not what the method can do. */
CHL_API chl_status chl_weights_random(const char *kind, uint64_t seed, const char *to);

#ifdef __cplusplus
}
#endif
#endif
