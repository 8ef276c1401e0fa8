/* What is computed once: digests of files, and a folder that keeps numbers under them. */
#ifndef CHLADNI_DATA_H
#define CHLADNI_DATA_H
#include <chladni/status.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* SHA-256 as 64 digits and a zero, digest [CHL_DIGEST_ROOM]. Of a file CHL_ERR_IO names it; pipes are refused, for they could not
 * be read again. */
#define CHL_DIGEST_ROOM 65
CHL_CHECKED chl_status chl_digest_file(const char *path, char *digest);
CHL_CHECKED chl_status chl_digest_bytes(const void *data, size_t size, char *digest);

/* A folder of numbers, each under the digest of what they are made from. Any number of processes on any
 * machines may share it without locks; it may be deleted at any time. One thread at a time. */
typedef struct chl_number_cache chl_number_cache;
/* Makes the folder if it is not there. */
CHL_CHECKED chl_status chl_cache_open(const char *folder, chl_number_cache **out);
CHL_API void chl_cache_close(chl_number_cache *kept); /* NULL is fine */
/* *found: whether `count` numbers are kept under the digest, whole; they are read. */
CHL_CHECKED chl_status chl_cache_find(chl_number_cache *kept, const char *digest, int64_t count,
                                      float *numbers, int *found);
CHL_CHECKED chl_status chl_cache_add(chl_number_cache *kept, const char *digest, int64_t count,
                                     const float *numbers);

/* --- data sets -------------------------------------------------------------------------------- */
/* What a source of clips may be: docs/training.md. Reports are JSON texts, to be freed with chl_release;
 * NULL on failure. */
/* Receives the progress: done of count. A return value other than 0 stops with CHL_ERR_CANCELLED. */
typedef int (*chl_data_callback)(void *user, const char *what, int64_t done, int64_t count);

typedef struct chl_inspect_options {
    uint32_t size;
    const char *data;    /* the source */
    const char *split;   /* only these splits or folds, "train" or "1,2"; NULL: all */
    const char *picture; /* NULL, or a PNG of the label counts */
    int64_t index;       /* 1: also write "x.tar.index" beside each shard, from which later starts
                          * read where the clips lie; a source without shards is refused */
} chl_inspect_options;
/* Opens every clip and decodes a few. Report: source, layout, clips, missing, unreadable, duplicates
 * (each with up to 20 names), bytes, seconds {total, min, mean, max}, rates {Hz: clips}, channels, pictures,
 * captions, unlabelled, labels {label: clips}, epoch {clips_per_second_and_thread, threads, seconds}:
 * what decoding all sounds to mel pictures takes. */
CHL_CHECKED chl_status chl_data_inspect(const chl_inspect_options *options, char **report);

typedef struct chl_pack_options {
    uint32_t size;
    const char *data;  /* the source */
    const char *split; /* as above */
    const char *out;   /* path of the shards with one number, "clips-%06d.tar" */
    int64_t clips;     /* of a shard; 0: 1000 */
    chl_data_callback progress;
    void *user;
} chl_pack_options;
/* Writes WebDataset shards: the files as they are, and a json with the keys of pairs.jsonl. Training on
 * them is training on the source, in the same order. A clip that cannot be read is left out, with a
 * warning in the log. Each shard gets its index (chl_inspect_options.index). Report: clips, shards,
 * left_out. */
CHL_CHECKED chl_status chl_data_pack(const chl_pack_options *options, char **report);

typedef struct chl_embed_ahead_options {
    uint32_t size;
    const char *data, *split; /* as above */
    const char *clip, *vocab; /* the frozen CLIP pair; vocab NULL: pictures only */
    const char *cache;        /* the folder that a training gets as its `cache` */
    const char *device;       /* as chl_train_options.device */
    const char *wordnet;      /* as the training's: the wordings of labels depend on both */
    uint64_t seed;            /* 0: 1 */
    chl_data_callback progress;
    void *user;
} chl_embed_ahead_options;
/* Embeds texts and pictures of a source for trainings on it. What is in the cache already is not embedded
 * again. Report: embedded, found, unreadable. */
CHL_CHECKED chl_status chl_data_embed(const chl_embed_ahead_options *options, char **report);

#ifdef __cplusplus
}
#endif
#endif
