/* One pickled tensor. Private to host/io/torch_*.c. */
#ifndef CHL_IO_TORCH_TENSOR_H
#define CHL_IO_TORCH_TENSOR_H
#include "io/torch.h"

/* True for a tensor or parameter of any kind, also of those that cannot be read. */
bool chl_torch_is_tensor(const chl_pickle_value *value);
/* What all arrays of one file may still take, in bytes, names and bookkeeping included. Arrays may
 * share their bytes in the file, so without it a small file could ask for any amount of memory. */
typedef struct chl_torch_budget {
    size_t left;
} chl_torch_budget;
chl_status chl_torch_spend(chl_torch_budget *budget, size_t bytes, const char *key,
                           const char *file);
/* Adds it to `into`. */
chl_status chl_torch_tensor(chl_pickle_value *value, const char *key,
                            const chl_torch_source *source, chl_torch_budget *budget,
                            chl_params *into);
#endif
