/* Paired sounds, pictures and words: any layout of data/source.h, a manifest x.jsonl, or a folder in a
 * format that `chladni world` writes and you can:
 *
 *     pairs.jsonl    one JSON object a line, one sample a line
 *     sounds, pictures  folders of .wav and .png, named in pairs.jsonl relative to this folder
 *     latents.npy    [samples, Z] float32, row i belongs to line i   (to train a generator)
 *     attributes.npy [samples, A] float32, row i: what latent i means, in numbers about -1 ... 1;
 *                    optional, gives a generator's mapping network a start
 *     textures.npy   [T, side, side] float32                        (noise maps for a generator)
 *
 * A line: {"sound": "sounds/00000.wav", "picture": "pictures/00000.png", "label": "heavy rain",
 * "caption": "heavy rain over hills at night", "kind": "rain", "strength": 0.8, "algorithm": 2,
 * "time": 0, "season": 2, "house": 1, "source": "world"}. All keys are optional; a training says
 * which it needs. A caption may be a list of captions: trainings take the first.
 * Errors name the file, the line and the key. */
#ifndef CHL_TRAIN_DATASET_H
#define CHL_TRAIN_DATASET_H
#include "data/source.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct chl_sample {
    int64_t line; /* in pairs.jsonl, from 1 */
    const char *sound,
        *picture; /* whole paths, of a part of a shard its name; NULL: there is none */
    const char *label, *caption, *kind, *source;
    const char *captions; /* chl_entry.captions */
    const char *split;    /* or fold: "train", "1"; NULL: none */
    int64_t row;          /* its number in latents.npy and attributes.npy */
    int label_id;   /* equal for equal labels, counted from 0 in order of appearance; -1 without */
    int kind_id;    /* the same for kinds */
    int source_id;  /* and for sources: where it was recorded, or by whom */
    int group_id;   /* the kind of a line that has one, else its label: equal texts are equal */
    float strength; /* 1 without */
    bool strength_given;
    float
        level_db; /* to which the sound is turned before all else (sound/level.h); NAN: as it is */
    const chl_entry *entry; /* where it comes from; NULL: from pairs.jsonl */
} chl_sample;

/* Where they lie; path NULL: there is none. */
static inline chl_media chl_sample_sound(const chl_sample *sample) {
    return sample->entry ? sample->entry->sound : (chl_media){.path = sample->sound};
}
static inline chl_media chl_sample_picture(const chl_sample *sample) {
    return sample->entry ? sample->entry->picture : (chl_media){.path = sample->picture};
}

struct chl_dataset;
#define CHL_PLACE 512
/* For texts: "data.csv line 3", or the file of a sample that no line names; its end where it is long. */
const char *chl_sample_place(const struct chl_dataset *data, const chl_sample *sample,
                             char text[CHL_PLACE]);

typedef struct chl_dataset {
    char *folder; /* as it was given, or of a manifest the folder that it lies in */
    char *list;   /* what names the samples, for texts: "DIR/pairs.jsonl" */
    int64_t count;
    chl_sample *sample;
    int labels, kinds; /* how many different ones */
    int sources, groups;
    const char **kind_name; /* [kinds] */
    float *latents;         /* [count][latent], NULL without latents.npy */
    int latent;
    float *attributes; /* [count][attribute], NULL without attributes.npy */
    int attribute;
    float *texture; /* [textures][texture_side][texture_side], NULL without */
    int textures, texture_side;
    /* private */
    struct chl_class_columns *classes;
    struct chl_epoch_order *order;
    struct chl_sample_cache *cache;
    struct chl_left_out *left_out;
    chl_source *from; /* of samples with an entry */
} chl_dataset;

enum { /* what a training needs of every sample */
       CHL_NEED_SOUND = 1,
       CHL_NEED_PICTURE = 2,
       CHL_NEED_LABEL = 4,
       CHL_NEED_CAPTION = 8,
       CHL_NEED_LATENT = 16,
       CHL_NEED_KIND = 32,
       CHL_NEED_FILES = CHL_NEED_SOUND | CHL_NEED_PICTURE
};
/* What a run says of its data. Zeros: all samples, each of them there, and no limit of memory. */
typedef struct chl_dataset_choice {
    const char *split; /* chl_source_choice.split */
    /* Share of the clips that may be missing or unreadable. A sound that is not there is no sample, a
     * picture that is not there is none; of more CHL_ERR_FORMAT says how many */
    double tolerate;
    const char *left_out; /* a file that gets a line for each of them; NULL: none */
    int64_t memory;       /* bytes of decoded sounds and pictures that are kept; 0: all */
    bool write_index;     /* chl_source_choice.write_index */
    const char *mels;     /* a folder for mel pictures as bytes (mel_store.h); NULL: none */
} chl_dataset_choice;
chl_status chl_dataset_open(const char *path, unsigned need, chl_dataset **out);
chl_status chl_dataset_open_chosen(const char *path, unsigned need,
                                   const chl_dataset_choice *choice, chl_dataset **out);
void chl_dataset_free(chl_dataset *dataset);

/* Whether there is a sample without a label, or by_group without both kind and label; `place` is of the
 * first one. */
bool chl_dataset_lacks_label(const chl_dataset *dataset, bool by_group, char place[CHL_PLACE]);

/* The classes (whole numbers from 0 up) that the lines hold under any key, "time" or "house" for
 * instance: [count], negative where a line has none; NULL where no line has a number there. Valid
 * while the dataset lives. */
const int *chl_dataset_classes(const chl_dataset *dataset, const char *key);
/* The same of a key that every line must have: CHL_ERR_KEY names the first line without it,
 * CHL_ERR_FORMAT the first whose number is no class, or is `classes` or more. classes 0: any. */
chl_status chl_dataset_require_classes(const chl_dataset *dataset, const char *key, int classes,
                                       const int **out);

/* Decoded once, and kept while there is memory for it (3 side^2 bytes a picture, 512 bytes a mel
 * frame); what does not fit is decoded at each use. pixels [side][side][3] bytes; a picture of
 * another size is cropped and resized. Pointers stay valid until chl_dataset_next_batch. Not thread
 * safe. */
chl_status chl_dataset_picture(chl_dataset *dataset, int64_t index, int side,
                               const uint8_t **pixels);
/* The whole clips' absolute log-mel pictures, mel[i] [128][frames[i]], of `count` samples; those
 * that are not there yet are read by all threads at once. Where some may be unreadable, mel[i] of one
 * that is is NULL, and chl_left_out_has is true from then on. */
chl_status chl_dataset_mels(chl_dataset *dataset, int count, const int64_t *index,
                            const float **mel, int64_t *frames);
/* What was decoded and does not fit is freed. */
void chl_dataset_next_batch(chl_dataset *dataset);

/* Number k, 0 ... count - 1, of an order in which any first part of a list lies all over it, by steps of
 * the golden ratio: a folder per label has one label after the other. */
int64_t chl_dataset_spread(int64_t count, int64_t k);

/* Which samples make the batch of step `index`: indices[batch]. Every epoch is a fresh permutation
 * of all samples, a pure function of (seed, epoch), so nothing has to be saved to resume. The last
 * one is kept, so that only the first step of an epoch takes time. Needs batch <= count; the rest
 * of an epoch that fills no batch is left out. Not thread safe. */
chl_status chl_dataset_batch(chl_dataset *dataset, uint64_t seed, int64_t index, int batch,
                             int64_t *indices);
#endif
