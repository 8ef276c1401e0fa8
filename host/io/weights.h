/* Weight files of every usual kind: safetensors; PyTorch .pt/.pth (zip, TorchScript archive, the
 * stream of versions before 1.6); NVIDIA's network .pkl; .npy and .npz. The kind is recognised by
 * the content, never by the name. Nothing in a file is ever executed (io/pickle.h). Shards are read
 * as one: by their index (model.safetensors.index.json), or by the folder that holds them.
 *
 *     chl_params *params;
 *     CHL_TRY(chl_weights_read("ffhq.pkl", &params));
 *     ... chl_params_find(params, "mapping.fc0.weight") ...
 *     chl_params_free(params);
 *
 * All arrays are row-major; floating point is float32, integers and booleans are int32; Python
 * numbers and 0-d tensors have rank 0. Which part of a checkpoint is read, and how names are made:
 * io/torch.h. */
#ifndef CHL_IO_WEIGHTS_H
#define CHL_IO_WEIGHTS_H
#include "base/params.h"

chl_status chl_weights_read(const char *path, chl_params **out);
/* Adds the arrays of one more file. */
chl_status chl_weights_add(const char *path, chl_params *into);
/* The same for bytes in memory; `name` is for error texts. */
chl_status chl_weights_parse(const uint8_t *data, size_t size, const char *name, chl_params *into);

/* Writes all arrays; the file appears complete or not at all. */
chl_status chl_weights_write_safetensors(const chl_params *params, const char *path);
#endif
