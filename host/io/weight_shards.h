/* Weights in several files, as Hugging Face divides them. For host/io/weights.c, this room only. */
#ifndef CHL_IO_WEIGHT_SHARDS_H
#define CHL_IO_WEIGHT_SHARDS_H
#include "base/params.h"

/* Reads what `path` stands for when it is not one file: an index (*.index.json), or a folder with
 * an index or with a single file of a usual name. *several tells whether it was that; when not,
 * nothing was done. */
chl_status chl_weights_read_shards(const char *path, chl_params *into, bool *several);
#endif
