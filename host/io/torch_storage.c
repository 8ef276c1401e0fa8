/* Storages: their description in a pickle, ("storage", class, key, location, elements). */
#include "io/torch.h"
#include <string.h>

static chl_element element_of(const chl_pickle_value *class) {
    static const struct {
        const char *module, *name;
        chl_element element;
    } known[] = {{"torch", "FloatStorage", CHL_ELEMENT_F32},
                 {"torch", "HalfStorage", CHL_ELEMENT_F16},
                 {"torch", "BFloat16Storage", CHL_ELEMENT_BF16},
                 {"torch", "DoubleStorage", CHL_ELEMENT_F64},
                 {"torch", "LongStorage", CHL_ELEMENT_I64},
                 {"torch", "IntStorage", CHL_ELEMENT_I32},
                 {"torch", "ShortStorage", CHL_ELEMENT_I16},
                 {"torch", "CharStorage", CHL_ELEMENT_I8},
                 {"torch", "ByteStorage", CHL_ELEMENT_U8},
                 {"torch", "BoolStorage", CHL_ELEMENT_BOOL},
                 {"torch.storage", "UntypedStorage", CHL_ELEMENT_U8}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (chl_pickle_is_global(class, known[i].module, known[i].name)) return known[i].element;
        /* old versions saved tensors in GPU memory under their CUDA class */
        if (i + 1 < sizeof known / sizeof *known &&
            chl_pickle_is_global(class, "torch.cuda", known[i].name))
            return known[i].element;
    }
    return CHL_ELEMENT_UNKNOWN;
}

chl_status chl_torch_storage_of(const chl_pickle_value *persistent, const char *file,
                                chl_torch_storage *out) {
    const chl_pickle_value *id =
        persistent->kind == CHL_PICKLE_PERSISTENT ? persistent->persistent.identity : NULL;
    chl_pickle_value **part = id && id->kind == CHL_PICKLE_TUPLE ? id->list.item : NULL;
    const int64_t parts = part ? id->list.count : 0;
    if (parts < 5 || parts > 6 || !chl_pickle_is_text(part[0], "storage") ||
        part[2]->kind != CHL_PICKLE_TEXT || part[4]->kind != CHL_PICKLE_INT || part[4]->integer < 0)
        return chl_fail(
            CHL_ERR_FORMAT,
            "%s: a tensor's storage is not described as (\"storage\", class, key, "
            "location, elements): the file is damaged, or was not written by torch.save",
            file);
    if (parts == 6 && part[5]->kind != CHL_PICKLE_NONE)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: a storage is a window into another one (PyTorch before 0.4): save the "
                        "file again with a newer PyTorch",
                        file);
    out->element = element_of(part[1]);
    out->key = part[2]->bytes;
    out->elements = part[4]->integer;
    if (out->element == CHL_ELEMENT_UNKNOWN) {
        char shown[CHL_PRINTABLE_LENGTH + 1] = "?";
        if (part[1]->kind == CHL_PICKLE_GLOBAL)
            chl_printable(part[1]->global.name.data, part[1]->global.name.size, shown);
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: a storage of class %s is not supported: convert its tensors to "
                        "float32",
                        file, shown);
    }
    return CHL_OK;
}

chl_status chl_torch_storage_set(chl_pickle_value *reference, const chl_torch_storage *storage,
                                 const uint8_t *data, size_t size, const char *file) {
    int64_t bytes;
    if (__builtin_mul_overflow(storage->elements, chl_element_bytes(storage->element), &bytes) ||
        (uint64_t)bytes > size)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: a storage claims %lld elements but has %zu bytes: the file is "
                        "damaged, fetch it again",
                        file, (long long)storage->elements, size);
    reference->kind = CHL_PICKLE_STORAGE;
    reference->storage.data = data;
    reference->storage.size = (size_t)bytes;
    reference->storage.element = (int)storage->element;
    return CHL_OK;
}
