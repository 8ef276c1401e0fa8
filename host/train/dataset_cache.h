/* Decoded pictures and sounds of a dataset; used by dataset.c alone. */
#ifndef CHL_TRAIN_DATASET_CACHE_H
#define CHL_TRAIN_DATASET_CACHE_H
#include "train/dataset.h"

chl_status chl_dataset_cache_new(int64_t count, struct chl_dataset_cache **out);
void chl_dataset_cache_free(struct chl_dataset_cache *cache, int64_t count);
#endif
