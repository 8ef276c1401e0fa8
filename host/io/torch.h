/* What PyTorch puts into a pickle, turned into named arrays. The containers (zip, legacy stream,
 * NVIDIA's network pickle) differ only in where the bytes of a storage are. Private to host/io. */
#ifndef CHL_IO_TORCH_H
#define CHL_IO_TORCH_H
#include "io/element.h"
#include "io/pickle.h"

/* Finds the bytes of the storage that `reference` (a PERSISTENT, or an OBJECT made by
 * torch.storage._load_from_bytes) stands for and turns it into a STORAGE. */
typedef struct chl_torch_source {
    chl_status (*resolve)(void *context, chl_pickle_value *reference, const char *file);
    void *context;
    size_t size; /* bytes of the whole file: the arrays made from it stay in proportion */
} chl_torch_source;

/* Adds what `root` holds to `into`:
 * - of a dict, the part a user means: g_ema, G_ema, state_dict or model, in this order, repeatedly;
 *   a `latent_avg` beside it is kept;
 * - nested dicts and modules as dotted names; of a module parameters, buffers (those it would save)
 *   and submodules; of a TorchScript object its tensors and submodules;
 * - Python numbers in dicts as rank-0 arrays; a bare tensor as "array"; everything else is logged
 *   at debug level and left out. Finally the prefix "module." of DataParallel is taken off. */
chl_status chl_torch_collect(chl_pickle_value *root, const chl_torch_source *source,
                             chl_params *into);

/* The parts of ('storage', class, key, location, elements[, view]). */
typedef struct chl_torch_storage {
    chl_element element; /* CHL_ELEMENT_U8 for UntypedStorage */
    chl_pickle_text key;
    int64_t elements;
} chl_torch_storage;
chl_status chl_torch_storage_of(const chl_pickle_value *persistent, const char *file,
                                chl_torch_storage *out);
/* Makes `reference` a STORAGE, after checking that it has the bytes it claims. */
chl_status chl_torch_storage_set(chl_pickle_value *reference, const chl_torch_storage *storage,
                                 const uint8_t *data, size_t size, const char *file);

/* True when the bytes start like the legacy stream of torch.save. */
bool chl_torch_is_legacy(const uint8_t *data, size_t size);
/* A legacy stream that holds one storage and nothing else, as tensors pickled without torch.save
 * carry them. Adds the bytes of pickle it had to read to `work`. */
chl_status chl_torch_legacy_storage(const uint8_t *data, size_t size, const char *file,
                                    chl_pickle_value *reference, size_t *work);

/* The containers. */
chl_status chl_torch_zip_parse(const uint8_t *data, size_t size, const char *name,
                               chl_params *into);
chl_status chl_torch_legacy_parse(const uint8_t *data, size_t size, const char *name,
                                  chl_params *into);
chl_status chl_nvidia_pickle_parse(const uint8_t *data, size_t size, const char *name,
                                   chl_params *into);
#endif
