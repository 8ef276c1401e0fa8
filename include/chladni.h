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

/* Zero-initialise, set `size`, name the files you have; what is NULL is not loaded, and calls that
 * need it fail with a text that says so. Formats: safetensors, PyTorch .pt/.pth (zip, legacy,
 * TorchScript), NVIDIA .pkl; upstream names (docs/weights.md). Nothing in a file is executed. */
typedef struct chl_engine_options {
    uint32_t size;
    const char *generator; /* StyleGAN2: stylegan2-ada-pytorch or rosinality */
    const char *clip;      /* CLIP ViT: OpenAI, open_clip, Hugging Face */
    const char *vocab;     /* CLIP's BPE merges: bpe_simple_vocab_16e6.txt(.gz) or merges.txt */
    const char *audio;     /* Swin audio encoder */
    const char *face;      /* ArcFace IR-SE50 */
    const char *device;    /* "cpu", "cuda", "cuda:N"; NULL or "auto": a GPU where there is one */
    chl_mel_mode mel;
    int clip_exact_gelu; /* 1: the CLIP file was trained with GELU, not QuickGELU */
    int clip_compatible; /* 1: the paper's authors' picture preprocessing (no mean, no deviation) */
    float conv_clamp; /* generator: 0 = by the file's kind (256 ada, none rosinality); < 0 none */
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

/* One step of the optimisation, as told to the progress callback. */
typedef struct chl_edit_progress {
    int step, steps;       /* step counts from 1 */
    float similarity_loss; /* L_sim */
    float latent_loss;     /* L_reg, before its weight */
    float identity_loss;   /* L_id, before its weight; 0 without a face encoder */
    float cosine;          /* <V(G(w)), a> */
    double seconds, seconds_left;
    const float *w; /* [rows][latent] as it is now; valid during the call */
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
} chl_edit_options;
CHL_API chl_edit_options chl_edit_defaults(const chl_engine *engine);

/* argmin_w L_sim + lambda_similarity L_reg + lambda_identity L_id (Eq. 14) by Adam from `source`.
 * source, edited [rows][latent]; target [embedding]; mask NULL or [rows]: softmax(g) at the end.
 * CHL_ERR_NUMERIC when a loss stops being finite: `edited` then holds the last finite code. */
CHL_API chl_status chl_edit(chl_engine *engine, const chl_edit_options *options,
                            const float *source, const float *target, float *edited, float *mask);

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
/* float32 .npy; `dim` has room for 6. Release with chl_release. */
CHL_API chl_status chl_array_read(const char *path, int *rank, int64_t *dim, float **data);
CHL_API chl_status chl_array_write(const char *path, int rank, const int64_t *dim,
                                   const float *data);
/* A sound as the encoder sees it: log-mel of the whole file [bands][frames] in [0,1]. */
CHL_API chl_status chl_mel_of_sound(const char *path, chl_mel_mode mode, int *bands,
                                    int64_t *frames, float **data);
CHL_API void chl_release(void *memory);

/* --- weights ---------------------------------------------------------------------------------- */
/* One call per array of a weight file: its name, "f32" or "i32", shape. */
typedef void (*chl_array_callback)(void *user, const char *name, const char *dtype, int rank,
                                   const int64_t *dim);
CHL_API chl_status chl_weights_inspect(const char *path, chl_array_callback callback, void *user);
/* Any readable file -> safetensors (float32), names as stored. */
CHL_API chl_status chl_weights_convert(const char *from, const char *to);
/* Small random models, for trying things out: kind is "generator", "clip", "audio" or "face". They
 * know nothing: an edit with them shows that the machinery runs, not what the method can do. */
CHL_API chl_status chl_weights_random(const char *kind, uint64_t seed, const char *to);

#ifdef __cplusplus
}
#endif
#endif
