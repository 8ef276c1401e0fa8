/* The index of a shard, "x.tar.index" beside it: where each clip's sound and picture lie, and its words, so that
 * a start reads one text instead of all headers of the tar. Lines of JSON: first the size and time of the
 * shard that it belongs to and the number of clips, then a clip each. An index of another size, time or number
 * is none.
 *
 *     chl_shard_index index;
 *     chl_shard_index_begin(&index);                             while a shard is read
 *     chl_shard_index_add(&index, path, key, &entry);            each clip, wanted or not
 *     CHL_TRY(chl_shard_index_write(&index, path));              frees it
 *
 *     CHL_TRY(chl_shard_index_read(source, path, take, user, &found)); */
#ifndef CHL_DATA_SHARD_INDEX_H
#define CHL_DATA_SHARD_INDEX_H
#include "base/text_buffer.h"
#include "data/source_list.h"

typedef struct chl_shard_index {
    chl_text_buffer lines;
    int64_t clips;
    bool impossible; /* a text is not UTF-8: the index could not give it back */
} chl_shard_index;

void chl_shard_index_begin(chl_shard_index *index);
/* key: what its files' names share. sound.path NULL: the clip has no sound. */
void chl_shard_index_add(chl_shard_index *index, const char *shard, const char *key,
                         const chl_entry *entry);
chl_status chl_shard_index_write(chl_shard_index *index, const char *shard);
void chl_shard_index_free(chl_shard_index *index);

/* What is done with each clip: as while the shard itself is read. Texts of the entry are the source's. */
typedef chl_status (*chl_clip_taker)(void *user, const char *key, const chl_entry *entry);
/* *found false: there is none, it belongs to another shard, or lines are missing; nothing was taken.
 * CHL_ERR_FORMAT for one that is damaged, or says of a clip what cannot be in the shard. */
chl_status chl_shard_index_read(chl_source *source, const char *shard, chl_clip_taker take,
                                void *user, bool *found);
#endif
