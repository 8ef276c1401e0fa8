/* Models: opening them, pictures from latents, embeddings. Files: pictures, arrays, weights. */
#ifndef CHLADNI_ENGINE_H
#define CHLADNI_ENGINE_H
#include <chladni/status.h>
#ifdef __cplusplus
extern "C" {
#endif

/* --- opening models --------------------------------------------------------------------------- */
typedef struct chl_engine chl_engine;

/* Log-mel spectrogram that the audio encoder takes (docs/method.md). COMPATIBLE: its reference level
 * is the file's own maximum, as the paper's authors have it; loudness is lost. ABSOLUTE: full scale.
 * REPEATED: full scale, and a sound shorter than ten seconds is repeated to that length; in the
 * other modes silence follows it. AUTO: compatible for weights in an upstream layout, what the
 * encoder was trained on for those trained by this library. */
typedef enum chl_mel_mode {
    CHL_MEL_AUTO,
    CHL_MEL_COMPATIBLE,
    CHL_MEL_ABSOLUTE,
    CHL_MEL_REPEATED
} chl_mel_mode;

/* Precision of activations between a network's input and its last pooling. BF16: bf16 with float32
 * sums; CHL_ERR_UNSUPPORTED on the CPU. AUTO: bf16 on a GPU, float32 on the CPU. Styles,
 * embeddings, losses, gradients of weights and Adam's state are always float32. */
typedef enum chl_precision {
    CHL_PRECISION_AUTO,
    CHL_PRECISION_FLOAT32,
    CHL_PRECISION_BF16
} chl_precision;

/* The defaults are zeros. A file that is NULL is not loaded, and calls that need it fail with
 * CHL_ERR_ARGUMENT ("an edit needs generator"). Formats: safetensors, PyTorch .pt/.pth (zip,
 * legacy, TorchScript), NVIDIA .pkl, with upstream names (docs/weights.md). Nothing in a file is
 * executed. */
typedef struct chl_engine_options {
    uint32_t size;
    chl_precision precision;
    const char *generator; /* StyleGAN2: stylegan2-ada-pytorch or rosinality; StyleGAN3 */
    const char *clip;   /* CLIP ViT or ResNet: OpenAI, open_clip, Hugging Face; CLAP, for texts */
    const char *vocab;  /* CLIP's BPE merges: bpe_simple_vocab_16e6.txt(.gz) or merges.txt;
                              CLAP's tokenizer.json */
    const char *audio;  /* audio encoder: Swin, Wav2CLIP, AudioCLIP, CLAP; docs/weights.md */
    const char *face;   /* ArcFace IR-SE50 */
    const char *device; /* "cpu", "cuda", "cuda:N"; NULL or "auto": a GPU where there is one */
    chl_mel_mode mel;
    /* CLIP's activation. 0: as OpenAI's archives, or config.json or open_clip_config.json beside
     * the weights, say; else QuickGELU, with a warning. 1: GELU (LAION). 2: QuickGELU (OpenAI). */
    int clip_exact_gelu;
    int clip_compatible; /* 1: the paper authors' picture preprocessing (no mean, no deviation) */
    float conv_clamp; /* generator: 0 = by the file's kind (256 ada, none rosinality); < 0 none */
    chl_log_callback log; /* lines of this engine's work; NULL: to chl_log_to's callback */
    void *log_user;
    /* Attention heads of CLIP's towers. 0: as a settings file beside the weights says, else those
     * of the published CLIPs of that width. A width of which none is known needs them. */
    int clip_image_heads, clip_text_heads;
    int64_t generator_class; /* 1 + the class of a generator with classes; 0: it must have none */
    /* Encoder for inversion, e4e or pSp: chl_invert then begins at its codes. One whose codes are not as
     * the generator's is CHL_ERR_SHAPE. */
    const char *encoder;
    /* A file with a text a line: sounds are told by these texts. Each embedding a of a sound becomes
     * sum_k p_k t_k, scaled to length 1, p = softmax(<a, t_k> / sound_texts_temperature) [Li et al., "DeCap",
     * ICLR 2023, Eq. 4]: a mean of the texts that the sound is near, and near to pictures as texts are. The
     * texts must name all that a sound may be, and how strong. Needs clip, vocab and audio. Does
     * nothing to chl_evaluate_zero_shot, _probe, _retrieval and chl_listen; chl_explain_edit refuses it. */
    const char *sound_texts;
    float sound_texts_temperature; /* 0: 0.02 */
    float
        sound_own_share; /* s in [0, 1): s a + (1 - s) of that mean, scaled to length 1; 0: the mean */
} chl_engine_options;

/* Reads and checks the models, on the given device. *out is NULL on failure. CHL_ERR_IO, FORMAT,
 * KEY and SHAPE name the file (and the weight); CHL_ERR_UNSUPPORTED for a device or precision that
 * this machine lacks. */
CHL_CHECKED chl_status chl_engine_open(const chl_engine_options *options, chl_engine **out);
CHL_API void chl_engine_close(chl_engine *engine); /* engine may be NULL */

/* Sizes of the loaded models; 0 for a model that is not loaded. Never changes its layout. */
typedef struct chl_engine_sizes {
    int picture;   /* pixels on a side of a generated picture */
    int rows;      /* of a W+ code */
    int latent;    /* numbers per row of a W+ code */
    int z;         /* numbers of the mapping network's input */
    int embedding; /* numbers of an embedding by CLIP and the audio encoder */
    int face;      /* numbers of an embedding by the face encoder */
} chl_engine_sizes;
CHL_API chl_engine_sizes chl_engine_get_sizes(const chl_engine *engine);
#define CHL_MAX_EMBEDDING 4096 /* max. numbers of an embedding */

/* --- generating ------------------------------------------------------------------------------- */
/* The W+ code w [rows][latent] of a seed in [0, 2^32): z from numpy's RandomState(seed), as
 * stylegan2-ada-pytorch draws it, through the mapping network, then mean + truncation (w - mean);
 * truncation 1: w itself, 0.7 is usual. With classes the mean is that of generator_class.
 * CHL_ERR_UNSUPPORTED without a mapping network. */
CHL_CHECKED chl_status chl_seed_latent(chl_engine *engine, uint64_t seed, float truncation,
                                       float *w);
/* Pictures of W+ codes: w [count][rows][latent] -> pixels [count][picture][picture][3], not clamped
 * to [-1, 1]. */
CHL_CHECKED chl_status chl_generate(chl_engine *engine, int count, const float *w, float *pixels);

/* --- embedding -------------------------------------------------------------------------------- */
/* Each writes one embedding of unit length, [embedding] numbers.
 * A sound file (WAV, FLAC, OGG, MP3, AIFF; m4a, aac, wma and others where the program ffmpeg is in
 * PATH; mono mix at 44.1 kHz) by the audio encoder. It is heard
 * to its true end, whatever its header claims; a file that breaks off costs a warning in the log, a
 * read error is CHL_ERR_IO. path may name a pipe (/dev/stdin): up to 2 GiB, and CHL_ERR_IO after a
 * minute without bytes. */
CHL_CHECKED chl_status chl_embed_sound(chl_engine *engine, const char *path, float *embedding);
/* The same with the waveform amplified by gain_db decibels (negative: attenuated). CHL_ERR_ARGUMENT
 * for a gain other than 0 in compatible mode, where it would change nothing. */
CHL_CHECKED chl_status chl_embed_sound_level(chl_engine *engine, const char *path, float gain_db,
                                             float *embedding);
/* Samples in memory instead of a file: samples [frames][channels], interleaved, full scale at -1
 * and 1, `rate` frames a second (1000 to 768000). They are mixed and resampled as a file's are: a
 * float file of the same samples has the same embedding, bit for bit. CHL_ERR_NUMERIC names the
 * first sample that is not finite. */
CHL_CHECKED chl_status chl_embed_sound_samples(chl_engine *engine, int rate, int channels,
                                               int64_t frames, const float *samples, float gain_db,
                                               float *embedding);
/* A text in UTF-8 by CLIP; needs vocab. It is cleaned as CLIP's tokenizer does it with ftfy and
 * html.unescape: &comma; and &EACUTE; are what they stand for, "cafÃ©" is "café". What differs from
 * ftfy, and how often, is in docs/method.md, "From prompt to tokens". A CLAP reads it as it is. */
CHL_CHECKED chl_status chl_embed_text(chl_engine *engine, const char *utf8, float *embedding);
/* pixels [height][width][3] in [-1, 1] by CLIP: centre square, area resize, image tower. */
CHL_CHECKED chl_status chl_embed_picture(chl_engine *engine, int height, int width,
                                         const float *pixels, float *embedding);
/* Many in one call -> embeddings [count][embedding]: each row as the call for one gives it, on the
 * CPU bit for bit, on a GPU up to rounding. The network runs on up to 32 texts or pictures, or 8 sounds, at once. gain_db [count];
 * NULL: all 0. pixels [count][height][width][3]. count 0 does nothing; after a failure rows may be
 * unset. */
CHL_CHECKED chl_status chl_embed_sounds(chl_engine *engine, int64_t count, const char *const *paths,
                                        const float *gain_db, float *embeddings);
CHL_CHECKED chl_status chl_embed_texts(chl_engine *engine, int64_t count, const char *const *utf8,
                                       float *embeddings);
CHL_CHECKED chl_status chl_embed_pictures(chl_engine *engine, int64_t count, int height, int width,
                                          const float *pixels, float *embeddings);
/* pixels [height][width][3], an aligned face (FFHQ's crop), by ArcFace; writes [face] numbers. */
CHL_CHECKED chl_status chl_embed_face(chl_engine *engine, int height, int width,
                                      const float *pixels, float *embedding);

/* --- files ------------------------------------------------------------------------------------ */
/* Reads PNG or JPEG, and WebP, HEIC and AVIF where the library was built with libwebp and libheif
 * (CHL_ERR_UNSUPPORTED otherwise), from a file or a pipe, turned upright as its EXIF says: pixels
 * [height][width][3] in [-1, 1], to be freed with chl_release. */
CHL_CHECKED chl_status chl_picture_read(const char *path, int *height, int *width, float **pixels);
/* The same from the file's bytes in memory. */
CHL_CHECKED chl_status chl_picture_decode(const void *data, size_t size, int *height, int *width,
                                          float **pixels);
/* A picture file, centre-cropped to a square and resized to [side][side][3] (antialiased bicubic).
 */
CHL_CHECKED chl_status chl_picture_read_square(const char *path, int side, float **pixels);
/* Whether a file can be written at `path`, as all functions that write one check when they begin:
 * CHL_ERR_IO where the folder does not exist or is not writable, or where a folder, or a file
 * without write permission is already. Links are followed and stay. Files are replaced at once, by
 * a temporary file in the same folder and rename, and keep their mode; pipes and devices
 * (/dev/null) get the bytes. *target, unless NULL, receives the absolute path of the file that
 * would be replaced or created, to be freed with chl_release; NULL for pipes and devices. */
CHL_CHECKED chl_status chl_file_check(const char *path, char **target);
/* Writes a file of `size` bytes. */
CHL_CHECKED chl_status chl_file_write(const char *path, const void *data, size_t size);
/* Writes pixels [height][width][3], clamped to [-1, 1], as 8-bit RGB PNG. */
CHL_CHECKED chl_status chl_picture_write(const char *path, int height, int width,
                                         const float *pixels);
/* The same with a text beside the pixels, an iTXt chunk of that keyword (1 to 79 letters, digits, -,
 * _ and .); utf8 of any length. The pixels are those of chl_picture_write. */
CHL_CHECKED chl_status chl_picture_write_text(const char *path, int height, int width,
                                              const float *pixels, const char *keyword,
                                              const char *utf8);
/* The text of that keyword in a PNG file (tEXt or iTXt, not compressed), to be freed with
 * chl_release; *utf8 is NULL where there is none. */
CHL_CHECKED chl_status chl_picture_read_text(const char *path, const char *keyword, char **utf8);
/* Writes a grid of pictures as one PNG, row by row, with `gap` white pixels between neighbours:
 * pictures [rows * columns], each [height][width][3] or NULL for a white cell. A side of the PNG
 * has at most 65535 pixels. */
CHL_CHECKED chl_status chl_picture_grid(const char *path, int rows, int columns, int height,
                                        int width, int gap, const float *const *pictures);
/* Arrays, float32, row-major. Read: .npy in either byte order; .npz, .pt or safetensors with one
 * array, or one called w, latent, w_plus, ... as projectors write it, or a list of equal arrays,
 * joined along a new first axis. dim [6] receives the first *rank sizes; *data is to be freed with
 * chl_release. Whole numbers are converted, CHL_ERR_FORMAT where float32 does not hold one. Write:
 * .npy. */
CHL_CHECKED chl_status chl_array_read(const char *path, int *rank, int64_t *dim, float **data);
CHL_CHECKED chl_status chl_array_write(const char *path, int rank, const int64_t *dim,
                                       const float *data);
/* A sound file's bytes in memory (WAV, FLAC, OGG, MP3, AIFF) -> wave [samples], mono, 44 100 a
 * second, to be released with chl_release. What chl_embed_sound_samples makes of it (rate 44100,
 * one channel) is what chl_embed_sound makes of the file. */
CHL_CHECKED chl_status chl_sound_decode(const void *data, size_t size, int64_t *samples,
                                        float **wave);
/* The same of a file that chl_embed_sound can read. */
CHL_CHECKED chl_status chl_sound_decode_file(const char *path, int64_t *samples, float **wave);
/* Numbered pictures and a sound as a video. Never nested by value, as all structs with a size. */
typedef struct chl_video_options {
    uint32_t size;
    const char *folder; /* of the frames: 000000.png, 000001.png, ..., as many as `frames` */
    int frames;
    float fps;
    const char *sound;       /* as long as the frames or longer */
    int (*stop)(void *user); /* NULL, or asked twenty times a second: other than 0 stops */
    void *user;
} chl_video_options;
/* Writes the video `path`, H.264 and AAC in MP4, by the program ffmpeg: a child process without a
 * shell, which has ended when this returns and gets no signal of the terminal. The file appears when
 * it is whole. CHL_ERR_UNSUPPORTED where ffmpeg is not in PATH; CHL_ERR_IO, with its last line, when
 * it fails; CHL_ERR_CANCELLED after `stop`. */
CHL_CHECKED chl_status chl_video_write(const chl_video_options *options, const char *path);
/* The command of a shell that does the same, to be released with chl_release. */
CHL_CHECKED chl_status chl_video_command(const chl_video_options *options, const char *path,
                                         char **command);
/* Log-mel spectrogram of a whole sound file: *data [bands][frames] in [0, 1], low bands first, to
 * be freed with chl_release. AUTO and REPEATED are ABSOLUTE here. */
CHL_CHECKED chl_status chl_mel_of_sound(const char *path, chl_mel_mode mode, int *bands,
                                        int64_t *frames, float **data);
/* Frees memory that a function of this library allocated; memory may be NULL. */
CHL_API void chl_release(void *memory);

/* --- weights ---------------------------------------------------------------------------------- */
/* Receives one array of a weight file: its name, "f32" or "i32" ("unreadable" for a type that no
 * network here uses, with rank 0), its shape dim [rank]. */
typedef void (*chl_array_callback)(void *user, const char *name, const char *dtype, int rank,
                                   const int64_t *dim);
/* Calls `callback` for every array of a weight file, in the order of the file. */
CHL_CHECKED chl_status chl_weights_inspect(const char *path, chl_array_callback callback,
                                           void *user);
/* What a weight file holds, as far as its arrays' names tell: "a StyleGAN2 generator, an e4e encoder for
 * inversion", and of sounds what an audio encoder hears: "a Swin audio encoder (hears ten seconds at
 * 44.1 kHz: of a longer sound the middle)"; an empty text for what no model here has. text [size], cut off where it is longer. */
CHL_CHECKED chl_status chl_weights_models(const char *path, size_t size, char *text);
/* Writes the arrays of any readable weight file as safetensors, with their names. FLOAT16 halves
 * the file and rounds to 11 bits; CHL_ERR_NUMERIC for a value beyond its range, +-65504. */
typedef enum chl_float_format { CHL_FLOAT32, CHL_FLOAT16 } chl_float_format;
CHL_CHECKED chl_status chl_weights_convert(const char *from, chl_float_format format,
                                           const char *to);
/* Writes a small model with random weights, for trying the library: kind is "generator" (a
 * StyleGAN2), "stylegan3-t", "stylegan3-r", "clip", "audio", "face" or "encoder" (an e4e for the
 * StyleGAN2). Untrained: an edit with them shows that the program works, not the method. */
CHL_CHECKED chl_status chl_weights_random(const char *kind, uint64_t seed, const char *to);

#ifdef __cplusplus
}
#endif
#endif
