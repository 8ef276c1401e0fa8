/* One pickled tensor. For host/io/torch_*.c, this room only. */
#ifndef CHL_IO_TORCH_TENSOR_H
#define CHL_IO_TORCH_TENSOR_H
#include "io/torch.h"

/* True for a tensor or parameter of any kind, including those that cannot be read. */
bool chl_torch_is_tensor(const chl_pickle_value *value);
/* The bytes that further arrays of a file may use, names and bookkeeping included. Tensors may
 * share their bytes in the file, so without a budget a small file could claim any amount of memory.
 */
typedef struct chl_torch_budget {
    size_t left;
} chl_torch_budget;
chl_status chl_torch_spend(chl_torch_budget *budget, size_t bytes, const char *key,
                           const char *file);
/* Adds the tensor to `into` under `key`; of a kind that cannot be read, its name. */
chl_status chl_torch_tensor(chl_pickle_value *value, const char *key,
                            const chl_torch_source *source, chl_torch_budget *budget,
                            chl_params *into);
#endif
