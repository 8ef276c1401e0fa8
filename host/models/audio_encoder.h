/* The audio encoder: sounds to embeddings, whichever network it is, and the picture of a sound that
 * it was trained on: a mel picture, or a spectrum of its own whose columns grow with the sound.
 *
 *     chl_audio_encoder *encoder;
 *     CHL_TRY(chl_audio_encoder_open(&place, "swin-audio.pth", CHL_MEL_AUTO, &encoder));
 *     chl_sound *sound;
 *     CHL_TRY(chl_sound_open("rain.wav", &sound));
 *     CHL_TRY(chl_audio_encoder_picture(encoder, sound, 0, picture, &columns));    at its own level
 *     CHL_TRY(chl_audio_encoder_embed(encoder, 1, columns, picture, embedding));
 *     chl_sound_close(sound);
 *     chl_audio_encoder_close(encoder);
 *
 * registry.h opens it. Kinds: the paper's Swin, its predecessor's ResNet-18, ResNet-50,
 * Wav2CLIP, AudioCLIP, CLAP. */
#ifndef CHL_MODELS_AUDIO_ENCODER_H
#define CHL_MODELS_AUDIO_ENCODER_H
#include "io/sound.h"
#include "models/model.h"
#include <chladni/engine.h>

/* Arrays that tell on which pictures an encoder was trained: CHL_MEL_ABSOLUTE, and of those
 * CHL_MEL_REPEATED. */
#define CHL_MARKER_ABSOLUTE "chladni.absolute_level"
#define CHL_MARKER_REPEATED "chladni.short_sounds_repeated"

/* In front of the names of a classifier's classes, and of the splits that it was trained on
 * (nets/class_names.h). */
#define CHL_CLASS_PREFIX "chladni.class."
#define CHL_SPLIT_PREFIX "chladni.split."

typedef struct chl_audio_encoder_sizes {
    int embedding;
    int trunk;         /* features that `head` gets */
    int rows, columns; /* of a sound's picture, bands along the rows; columns: the most */
    int channels;      /* that a picture must have */
} chl_audio_encoder_sizes;

typedef struct chl_audio_encoder chl_audio_encoder;

/* What a kind of audio encoder has to offer. `config` is the kind's own description of the opened
 * file, `config_bytes` of zeros before `open`. */
typedef struct chl_audio_encoder_kind {
    chl_model_kind kind;
    const char *hears; /* for texts: "ten seconds at 44.1 kHz" */
    size_t config_bytes;
    /* Renames the file's keys to the network's own and reads sizes. */
    chl_status (*open)(chl_params *params, void *config, chl_audio_encoder_sizes *sizes);
    /* Its own picture of a sound, from the first sample on: see chl_audio_encoder_picture. NULL:
     * the mel picture. */
    chl_status (*picture)(chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                          float *picture, int *columns);
    /* Of a kind with a picture of its own: whether it hears how loud a sound is. */
    bool hears_level;
    /* Its embeddings lie in a space of its own, which no CLIP shares. */
    bool own_space;
    /* The shape under which the network takes n pictures of sounds. NULL: [n, rows, columns, 1]. */
    chl_desc (*input)(int n, int columns);
    /* The network's two parts: pictures -> [n][trunk], the mean over the map of its last stage; -> [n][embedding],
     * the layers that lead into CLIP's space. */
    chl_tensor (*trunk)(chl_net *net, const void *config, chl_tensor pictures);
    chl_tensor (*head)(chl_net *net, const void *config, chl_tensor features);
} chl_audio_encoder_kind;
extern const chl_audio_encoder_kind chl_kind_swin;     /* audio_encoder_swin.c */
extern const chl_audio_encoder_kind chl_kind_resnet18; /* audio_encoder_resnet.c */
extern const chl_audio_encoder_kind chl_kind_resnet50;
extern const chl_audio_encoder_kind chl_kind_wav2clip;  /* audio_encoder_wav2clip.c */
extern const chl_audio_encoder_kind chl_kind_audioclip; /* audio_encoder_audioclip.c */
extern const chl_audio_encoder_kind chl_kind_clap;      /* audio_encoder_clap.c */
extern const chl_audio_encoder_kind chl_kind_clap_fused;

/* Uses of its graphs (chl_graph_key). */
enum { CHL_AUDIO_NETWORK, CHL_AUDIO_TRUNK, CHL_AUDIO_SPECTRUM };

struct chl_audio_encoder {
    chl_model model;
    const chl_audio_encoder_kind *kind;
    void *config; /* the kind's */
    chl_audio_encoder_sizes sizes;
    chl_mel_mode mel; /* never AUTO; ABSOLUTE where it hears how loud a sound is */
    /* Of a classifier (train/train_classifier.c), whose embeddings are its classes' logits scaled to
     * length 1: [sizes.embedding], else NULL */
    const char **class_name;
    const char *split; /* it was trained on these only; NULL: on all */
};

/* Takes the model over, also when it fails. `mel` other than AUTO is CHL_ERR_ARGUMENT for a kind with
 * a picture of its own. */
chl_status chl_audio_encoder_new(const chl_model *model, const chl_audio_encoder_kind *kind,
                                 chl_mel_mode mel, chl_audio_encoder **out);
void chl_audio_encoder_close(chl_audio_encoder *encoder); /* NULL is fine */

/* Max. numbers of one sound's picture. */
int64_t chl_audio_encoder_pixels(const chl_audio_encoder *encoder);
/* Whether there is an encoder (NULL: none) and it can hear these levels: gain_db [count] or NULL. A
 * compatible one (sound/mel.h) hears every sound at its own maximum: CHL_ERR_ARGUMENT for any gain
 * but 0. */
chl_status chl_audio_encoder_check(const chl_audio_encoder *encoder, int64_t count,
                                   const float *gain_db);
/* The picture [sizes.rows][*columns] of a sound from its first sample to its end, made louder by
 * gain_db, in memory for chl_audio_encoder_pixels. */
chl_status chl_audio_encoder_picture(chl_audio_encoder *encoder, chl_sound *sound, float gain_db,
                                     float *picture, int *columns);
/* The shape under which the network takes n pictures of so many columns. */
chl_desc chl_audio_encoder_input(const chl_audio_encoder *encoder, int n, int columns);
/* The whole network: pictures -> embeddings [n][embedding], rows of length 1 */
chl_tensor chl_audio_encoder_nodes(const chl_audio_encoder *encoder, chl_net *net,
                                   chl_tensor pictures);
/* pictures of equally many columns, n of them one after another -> embeddings [n][embedding], rows
 * of length 1, in one run of n */
chl_status chl_audio_encoder_embed(chl_audio_encoder *encoder, int n, int columns,
                                   const float *pictures, float *embeddings);

/* Both at once, for one sound -> embedding [embedding] */
chl_status chl_audio_encoder_embed_sound(chl_audio_encoder *encoder, chl_sound *sound,
                                         float gain_db, float *embedding);

/* Many sound files in runs of `batch` (the remaining rows of a run that is not full are computed for
 * nothing): embeddings [count][embedding], or with `of_trunk` [count][trunk]; gain_db [count], NULL = all 0. `after` (may be NULL) is
 * called after each run with the number of sounds done; its failure ends the call. */
typedef struct chl_sound_files {
    int64_t count;
    const char *const *path; /* not with `open` */
    const float *gain_db;
    bool of_trunk; /* the trunk's features, as they are, in place of embeddings */
    /* NULL, or for sounds that are no files: opens number `index`; `close` closes it before the next
     * one is opened. */
    chl_status (*open)(void *user, int64_t index, chl_sound **sound);
    void (*close)(void *user, chl_sound *sound);
    chl_status (*after)(void *user, int64_t done);
    void *user;
} chl_sound_files;
chl_status chl_audio_encoder_embed_files(chl_audio_encoder *encoder, int batch,
                                         const chl_sound_files *files, float *embeddings);
#endif
