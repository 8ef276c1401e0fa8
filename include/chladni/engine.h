/* Opening models; pictures from latents; embeddings; files. */
#ifndef CHLADNI_ENGINE_H
#define CHLADNI_ENGINE_H
#include <chladni/status.h>
#ifdef __cplusplus
extern "C" {
#endif

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
    chl_precision precision;
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
    chl_log_callback log; /* lines of this engine's work; NULL: to chl_log_to's callback */
    void *log_user;
} chl_engine_options;

CHL_CHECKED chl_status chl_engine_open(const chl_engine_options *options, chl_engine **out);
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
#define CHL_MAX_EMBEDDING 4096 /* no embedding is longer */

/* --- generating ------------------------------------------------------------------------------- */
/* z drawn from `seed` (the same on every machine), mapped, truncated towards the mean w by
 * `truncation` (1 = not, 0.7 usual). w [rows][latent]. */
CHL_CHECKED chl_status chl_seed_latent(chl_engine *engine, uint64_t seed, float truncation,
                                       float *w);
/* w [count][rows][latent] -> pixels [count][picture][picture][3]; not clamped */
CHL_CHECKED chl_status chl_generate(chl_engine *engine, int count, const float *w, float *pixels);

/* --- embedding -------------------------------------------------------------------------------- */
CHL_CHECKED chl_status chl_embed_sound(chl_engine *engine, const char *path, float *embedding);
/* The same sound made louder (or, below 0, quieter) by `gain_db` before the encoder hears it.
 * CHL_ERR_ARGUMENT in compatible mode, where a gain other than 0 would change nothing. */
CHL_CHECKED chl_status chl_embed_sound_level(chl_engine *engine, const char *path, float gain_db,
                                             float *embedding);
/* Samples in memory instead of a file: samples [frames][channels], interleaved, full scale at -1
 * and 1, `rate` frames a second (1000 to 768000). They are mixed and resampled as a file's are: a
 * float file of the same samples has the same embedding, bit for bit. CHL_ERR_NUMERIC names the
 * first sample that is not finite. */
CHL_CHECKED chl_status chl_embed_sound_samples(chl_engine *engine, int rate, int channels,
                                               int64_t frames, const float *samples, float gain_db,
                                               float *embedding);
CHL_CHECKED chl_status chl_embed_text(chl_engine *engine, const char *utf8, float *embedding);
/* pixels [height][width][3] in [-1,1]: centre square, area resize, CLIP */
CHL_CHECKED chl_status chl_embed_picture(chl_engine *engine, int height, int width,
                                         const float *pixels, float *embedding);
/* Many in one call -> embeddings [count][embedding]: each row as the call for one gives it, up to
 * rounding. The network runs on up to 32 texts or pictures, or 8 sounds, at once. gain_db [count];
 * NULL: all 0. pixels [count][height][width][3]. count 0 does nothing; after a failure rows may be
 * unset. */
CHL_CHECKED chl_status chl_embed_sounds(chl_engine *engine, int64_t count, const char *const *paths,
                                        const float *gain_db, float *embeddings);
CHL_CHECKED chl_status chl_embed_texts(chl_engine *engine, int64_t count, const char *const *utf8,
                                       float *embeddings);
CHL_CHECKED chl_status chl_embed_pictures(chl_engine *engine, int64_t count, int height, int width,
                                          const float *pixels, float *embeddings);
/* pixels as an aligned face (FFHQ's crop) -> [face] */
CHL_CHECKED chl_status chl_embed_face(chl_engine *engine, int height, int width,
                                      const float *pixels, float *embedding);

/* --- files ------------------------------------------------------------------------------------ */
/* PNG or JPEG -> pixels [height][width][3] in [-1,1], to be released with chl_release. */
CHL_CHECKED chl_status chl_picture_read(const char *path, int *height, int *width, float **pixels);
/* The same from the file's bytes in memory. */
CHL_CHECKED chl_status chl_picture_decode(const void *data, size_t size, int *height, int *width,
                                          float **pixels);
/* A picture file, centre-cropped to a square and brought to side x side (antialiased bicubic). */
CHL_CHECKED chl_status chl_picture_read_square(const char *path, int side, float **pixels);
/* 8-bit RGB PNG, values clamped; written beside and renamed into place. */
CHL_CHECKED chl_status chl_picture_write(const char *path, int height, int width,
                                         const float *pixels);
/* A contact sheet: equal pictures in a grid, row by row, `gap` white pixels between neighbours, as
 * one PNG. pictures [rows * columns], each [height][width][3]; NULL leaves the cell white. */
CHL_CHECKED chl_status chl_picture_grid(const char *path, int rows, int columns, int height,
                                        int width, int gap, const float *const *pictures);
/* float32 .npy; `dim` has room for 6. Release with chl_release. */
CHL_CHECKED chl_status chl_array_read(const char *path, int *rank, int64_t *dim, float **data);
CHL_CHECKED chl_status chl_array_write(const char *path, int rank, const int64_t *dim,
                                       const float *data);
/* A sound file's bytes in memory (WAV, FLAC, OGG, MP3, AIFF) -> wave [samples], mono, 44 100 a
 * second, to be released with chl_release. What chl_embed_sound_samples makes of it (rate 44100,
 * one channel) is what chl_embed_sound makes of the file. */
CHL_CHECKED chl_status chl_sound_decode(const void *data, size_t size, int64_t *samples,
                                        float **wave);
/* A sound as the encoder sees it: log-mel of the whole file [bands][frames] in [0,1]. */
CHL_CHECKED chl_status chl_mel_of_sound(const char *path, chl_mel_mode mode, int *bands,
                                        int64_t *frames, float **data);
CHL_API void chl_release(void *memory);

/* --- weights ---------------------------------------------------------------------------------- */
/* One call per array of a weight file: its name, "f32" or "i32", shape. */
typedef void (*chl_array_callback)(void *user, const char *name, const char *dtype, int rank,
                                   const int64_t *dim);
CHL_CHECKED chl_status chl_weights_inspect(const char *path, chl_array_callback callback,
                                           void *user);
/* Any readable file -> safetensors, names as stored. FLOAT16 rounds (half the size, three decimal
 * digits); CHL_ERR_NUMERIC for a value beyond its range, 65504. */
typedef enum chl_float_format { CHL_FLOAT32, CHL_FLOAT16 } chl_float_format;
CHL_CHECKED chl_status chl_weights_convert(const char *from, chl_float_format format,
                                           const char *to);
/* Small random models, for trying things out: kind is "generator", "clip", "audio" or "face". They
 * know nothing: an edit with them shows that the machinery runs, not what the method can do. */
CHL_CHECKED chl_status chl_weights_random(const char *kind, uint64_t seed, const char *to);

#ifdef __cplusplus
}
#endif
#endif
