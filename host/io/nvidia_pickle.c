/* Network pickles of stylegan2-ada-pytorch and its successors: a plain pickle of a dict with G, D,
 * G_ema, ... Each network is torch_utils.persistence._reconstruct_persistent_obj({type, version,
 * module_src, class_name, state}). Python would execute module_src, the source code of the class;
 * here only `state` is read, a module's ordinary dict of parameters, buffers and submodules
 * (torch_tree.c). The tensors were pickled without torch.save, so each storage is a call
 * torch.storage._load_from_bytes(<a legacy stream>). */
#include "io/torch.h"

/* The bytes of nested streams that are read may be this many times the file's. A storage that many
 * tensors share is read once, so a checkpoint stays below 1. */
#define WORK_FACTOR 4
#define WORK_FLOOR 65536

typedef struct source_state {
    size_t size, work;
} source_state;

static chl_status resolve(void *context, chl_pickle_value *reference, const char *file) {
    source_state *state = context;
    const chl_pickle_value *bytes = chl_pickle_argument(reference, 0);
    if (!bytes || bytes->kind != CHL_PICKLE_BYTES ||
        !chl_pickle_is_global(reference->object.callee, "torch.storage", "_load_from_bytes"))
        return chl_fail(
            CHL_ERR_FORMAT,
            "%s: a tensor has no data in the pickle: the file is damaged, or is neither a "
            "PyTorch nor an NVIDIA checkpoint",
            file);
    if (state->work / WORK_FACTOR > state->size + WORK_FLOOR)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: the same bytes are read over and over: not a checkpoint", file);
    return chl_torch_legacy_storage(bytes->bytes.data, bytes->bytes.size, file, reference,
                                    &state->work);
}

static bool is_tensorflow_network(const chl_pickle_value *value) {
    return value->kind == CHL_PICKLE_OBJECT &&
           (chl_pickle_is_global(value->object.callee, "dnnlib.tflib.network", NULL) ||
            chl_pickle_is_global(value->object.callee, "tfutil", NULL));
}

/* The older TensorFlow pickles: a tuple (G, D, Gs), or one, of dnnlib.tflib.network.Network; before
 * StyleGAN of tfutil.Network. */
static bool is_tensorflow(const chl_pickle_value *root) {
    if (root->kind == CHL_PICKLE_TUPLE || root->kind == CHL_PICKLE_LIST)
        return root->list.count && is_tensorflow_network(root->list.item[0]);
    return is_tensorflow_network(root);
}

chl_status chl_nvidia_pickle_parse(const uint8_t *data, size_t size, const char *name,
                                   chl_params *into) {
    chl_pickle pickle = {0};
    source_state state = {.size = size};
    const chl_torch_source source = {.resolve = resolve, .context = &state, .size = size};
    CHL_TRY(chl_pickle_read(data, size, name, &pickle));
    chl_status status = is_tensorflow(pickle.root)
                            ? chl_fail(CHL_ERR_UNSUPPORTED,
                                       "%s: is a TensorFlow network: convert it with legacy.py of "
                                       "stylegan2-ada-pytorch",
                                       name)
                            : chl_torch_collect(pickle.root, &source, into);
    chl_pickle_free(&pickle);
    return status;
}
