/* PyTorch checkpoints as named arrays. For host/io, this room only.
 *
 * A checkpoint is a pickle whose tensors are calls of torch._utils._rebuild_tensor_v2(storage,
 * offset, sizes, strides, ...). A storage is a flat block of bytes that several tensors may share;
 * the pickle refers to it, and the container holds it. The containers differ only in where:
 *
 *     zip, since PyTorch 1.6 (torch_zip.c)          an entry <name>/data/<key>
 *     legacy stream, before (torch_legacy.c)        after the pickle, in the order of a list of
 * keys NVIDIA's network pickle (nvidia_pickle.c)     inside the pickle, each a legacy stream of its
 * own
 *
 * chl_torch_collect walks the objects (torch_tree.c) and asks the container for each storage. */
#ifndef CHL_IO_TORCH_H
#define CHL_IO_TORCH_H
#include "io/element.h"
#include "io/pickle.h"

/* A container. `resolve` finds the bytes of the storage that `reference` refers to (a PERSISTENT,
 * or a call of torch.storage._load_from_bytes) and turns the reference into a STORAGE. */
typedef struct chl_torch_source {
    chl_status (*resolve)(void *context, chl_pickle_value *reference, const char *file);
    void *context;
    size_t size; /* bytes of the whole file, which bounds the size of the arrays made from it */
} chl_torch_source;

/* Adds what `root` holds to `into`:
 * - of a training checkpoint, the network: the first of g_ema, G_ema, ema, state_dict, model, ...
 * (averaged weights first) that the dict has, repeatedly; a `latent_avg` beside it is kept;
 * - nested dicts and modules as dotted names; of a module parameters, buffers (those it would save)
 *   and submodules; of a TorchScript object its tensors and submodules;
 * - Python numbers in dicts as rank-0 arrays; a bare tensor as "array", a list of tensors as
 *   "0", "1", ...; everything else is logged
 *   at debug level and ignored. Finally the prefix "module." of DataParallel is removed. */
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
/* Makes `reference` a STORAGE, after checking that the container has the bytes it claims. */
chl_status chl_torch_storage_set(chl_pickle_value *reference, const chl_torch_storage *storage,
                                 const uint8_t *data, size_t size, const char *file);

/* True when the bytes start like the stream of torch.save before 1.6. */
bool chl_torch_is_legacy(const uint8_t *data, size_t size);
/* A legacy stream that holds one storage, as tensors pickled without torch.save carry them. Adds
 * the number of pickle bytes it read to `work`, so that the caller can bound it. */
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
