/* A start for a generator's mapping network where the data set says what its latents mean.
 *
 * Through the pictures alone the mapping learns slowly: in the first thousand steps most of the
 * loss is that colours and places do not follow z yet. So before the first step the mapping, with a
 * linear layer behind it that is thrown away, learns to predict attributes.npy from latents.npy:
 * some thousand steps of a network this small take seconds. Its w then holds what the picture
 * depends on, as linear functions.
 *
 * Or, `measured`: w itself learns them, its first numbers are the attributes and the others 0. Then
 * W has a measure, which edits move by: how far it is from a scene to the same scene in rain is
 * what attributes.npy says, not an accident of training (docs/training.md). */
#ifndef CHL_TRAIN_MAPPING_START_H
#define CHL_TRAIN_MAPPING_START_H
#include "nets/stylegan2.h"
#include "train/dataset.h"

/* Changes the arrays `mapping.*` of params; nothing without attributes. CHL_ERR_SHAPE: w has fewer
 * numbers than there are attributes. A pure function of the data and the seed. */
chl_status chl_mapping_start(chl_device *device, const chl_dataset *data,
                             const chl_stylegan2_config *config, uint64_t seed, bool measured,
                             chl_params *params);
#endif
