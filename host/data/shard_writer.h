/* Writes WebDataset shards: clips as adjacent files of a tar, so many in each, and an index beside each
 * (shard_index.h).
 *
 *     chl_shard_writer *writer;
 *     CHL_TRY(chl_shard_writer_new("clips-%06d.tar", 1000, &writer));
 *     CHL_TRY(chl_shard_writer_add(writer, json, &sound, &picture));
 *     CHL_TRY(chl_shard_writer_end(writer, &shards));                frees it */
#ifndef CHL_DATA_SHARD_WRITER_H
#define CHL_DATA_SHARD_WRITER_H
#include "data/media.h"

typedef struct chl_shard_writer chl_shard_writer;

/* pattern: a path with one number, %d or %06d. clips: of a shard, >= 1. CHL_ERR_UNSUPPORTED in a build
 * without libarchive. */
chl_status chl_shard_writer_new(const char *pattern, int64_t clips, chl_shard_writer **out);
/* The bytes of sound and picture (path NULL: none) as they are, and the text json. Each shard appears
 * whole or not at all. A sound or picture that cannot be read is *why, to be freed, and no clip. */
chl_status chl_shard_writer_add(chl_shard_writer *writer, const char *json, const chl_media *sound,
                                const chl_media *picture, char **why);
/* The last shard; how many there are. Frees the writer, also when it fails. */
chl_status chl_shard_writer_end(chl_shard_writer *writer, int64_t *shards);
/* Without what is left of the last shard. NULL is fine. */
void chl_shard_writer_abandon(chl_shard_writer *writer);
#endif
