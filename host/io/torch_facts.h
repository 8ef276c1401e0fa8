/* The settings of a pickled module. For host/io/torch_*.c, this room only. */
#ifndef CHL_IO_TORCH_FACTS_H
#define CHL_IO_TORCH_FACTS_H
#include "base/params.h"
#include "io/pickle_value.h"

/* Adds what `attributes`, the DICT of an instance of one of NVIDIA's persistent classes, says about
 * how `module` ("" for the whole network) was made. */
chl_status chl_torch_state_facts(const chl_pickle_value *attributes, const char *module,
                                 chl_params *into);
/* Adds, as "args:size" and so on, those of a training's options, a DICT, that say what its generator
 * is: rosinality's checkpoints hold them beside the network. */
chl_status chl_torch_state_options(const chl_pickle_value *options, chl_params *into);
/* Adds, as "opts:encoder_type" and so on, those of a training's options that say what its encoder for
 * inversion is: pSp's and e4e's checkpoints hold them beside the networks. */
chl_status chl_torch_state_encoder(const chl_pickle_value *options, chl_params *into);
#endif
