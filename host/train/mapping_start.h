/* A start for a generator's mapping network from a data set that says what its latents mean.
 *
 * From pictures alone the mapping learns slowly: in the first thousand steps most of the loss comes
 * from colours and places that do not follow z yet. So before the first step the mapping, followed
 * by a linear layer that is discarded afterwards, learns to predict attributes.npy from
 * latents.npy, which takes seconds for so small a network. Then w holds the attributes, as linear
 * functions.
 *
 * Or, with `measured`, w itself learns them: its first numbers become the attributes and the others
 * 0. Distances in W, by which edits are limited, are then distances of attributes.npy (from a scene
 * to the same scene in rain, for instance) and not an accident of training (docs/training.md). */
#ifndef CHL_TRAIN_MAPPING_START_H
#define CHL_TRAIN_MAPPING_START_H
#include "nets/stylegan2.h"
#include "train/dataset.h"

/* Changes the arrays `mapping.*` of params; does nothing without attributes. CHL_ERR_SHAPE where w
 * has fewer numbers than there are attributes. A pure function of the data and the seed. */
chl_status chl_mapping_start(chl_device *device, const chl_dataset *data,
                             const chl_stylegan2_config *config, uint64_t seed, bool measured,
                             chl_params *params);
#endif
