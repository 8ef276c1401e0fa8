/* A tensor in a pickle is a call that would rebuild it:
 *
 *     torch._utils._rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks)
 *
 * possibly wrapped: _rebuild_parameter(tensor, ...) for a parameter,
 * _rebuild_from_type_v2(function, type, arguments, state) for a subclass. The view it describes is
 * checked and copied by chl_view_copy. */
#include "io/torch_tensor.h"
#include <stdio.h>
#include <string.h>

/* A parameter of a parameter of ... is never nested deeper than this. */
#define MAX_WRAPPERS 4
/* Bytes per array beside its data: alignment, the entry in the list, the index. */
#define ARRAY_OVERHEAD 192

static bool named_rebuild(const chl_pickle_value *callee) {
    const char prefix[] = "_rebuild_";
    return (chl_pickle_is_global(callee, "torch._utils", NULL) ||
            chl_pickle_is_global(callee, "torch._tensor", NULL)) &&
           callee->global.name.size >= sizeof prefix - 1 &&
           memcmp(callee->global.name.data, prefix, sizeof prefix - 1) == 0;
}

bool chl_torch_is_tensor(const chl_pickle_value *value) {
    return value->kind == CHL_PICKLE_OBJECT && named_rebuild(value->object.callee);
}

static chl_status damaged(const char *key, const char *file) {
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: \"%s\" is not a tensor as PyTorch pickles it: the file is damaged, or was "
                    "not written by torch.save",
                    file, key);
}

/* The dtype argument of _rebuild_tensor_v3, whose storage is untyped. */
static chl_element element_of_dtype(const chl_pickle_value *dtype) {
    static const struct {
        const char *name;
        chl_element element;
    } known[] = {{"float32", CHL_ELEMENT_F32},   {"float16", CHL_ELEMENT_F16},
                 {"bfloat16", CHL_ELEMENT_BF16}, {"float64", CHL_ELEMENT_F64},
                 {"int64", CHL_ELEMENT_I64},     {"int32", CHL_ELEMENT_I32},
                 {"int16", CHL_ELEMENT_I16},     {"int8", CHL_ELEMENT_I8},
                 {"uint8", CHL_ELEMENT_U8},      {"bool", CHL_ELEMENT_BOOL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (chl_pickle_is_global(dtype, "torch", known[i].name)) return known[i].element;
    return CHL_ELEMENT_UNKNOWN;
}

static bool read_sizes(const chl_pickle_value *tuple, int64_t *sizes, int64_t capacity) {
    for (int64_t i = 0; i < tuple->list.count && i < capacity; i++) {
        if (tuple->list.item[i]->kind != CHL_PICKLE_INT) return false;
        sizes[i] = tuple->list.item[i]->integer;
    }
    return true;
}

/* Unwraps parameters and subclasses down to a call of _rebuild_tensor* and its arguments. */
static chl_status find_rebuild(const chl_pickle_value *value, const char *key, const char *file,
                               const chl_pickle_value **callee,
                               const chl_pickle_value **arguments) {
    for (int i = 0; i < MAX_WRAPPERS; i++) {
        if (!chl_torch_is_tensor(value)) return damaged(key, file);
        *callee = value->object.callee;
        *arguments = value->object.arguments;
        if (chl_pickle_is_global(*callee, "torch._tensor", "_rebuild_from_type_v2")) {
            /* (function, type, arguments, state) */
            if ((*arguments)->list.count != 4 ||
                (*arguments)->list.item[2]->kind != CHL_PICKLE_TUPLE)
                return damaged(key, file);
            *callee = (*arguments)->list.item[0];
            *arguments = (*arguments)->list.item[2];
        }
        if (!chl_pickle_is_global(*callee, "torch._utils", "_rebuild_parameter") &&
            !chl_pickle_is_global(*callee, "torch._utils", "_rebuild_parameter_with_state"))
            return CHL_OK;
        if ((*arguments)->list.count < 1) return damaged(key, file);
        value = (*arguments)->list.item[0];
    }
    return damaged(key, file);
}

chl_status chl_torch_spend(chl_torch_budget *budget, size_t bytes, const char *key,
                           const char *file) {
    const size_t whole = bytes + ARRAY_OVERHEAD + strlen(key);
    if (whole > budget->left)
        return chl_fail(
            CHL_ERR_FORMAT,
            "%s: \"%s\" and the tensors before it claim the same bytes over and over: not "
            "a checkpoint",
            file, key);
    budget->left -= whole;
    return CHL_OK;
}

static chl_status read_tensor(chl_pickle_value *value, const char *key,
                              const chl_torch_source *source, chl_torch_budget *budget,
                              chl_params *into) {
    const char *file = into->source;
    const chl_pickle_value *callee = NULL, *arguments = NULL;
    CHL_TRY(find_rebuild(value, key, file, &callee, &arguments));
    const bool v3 = chl_pickle_is_global(callee, "torch._utils", "_rebuild_tensor_v3");
    if (!v3 && !chl_pickle_is_global(callee, "torch._utils", "_rebuild_tensor_v2") &&
        !chl_pickle_is_global(callee, "torch._utils", "_rebuild_tensor"))
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: \"%s\" is a quantised, sparse or otherwise special tensor: convert it "
                        "to a plain float32 tensor",
                        file, key);
    /* (storage, offset, sizes, strides, requires_grad, hooks[, dtype, metadata]) */
    chl_pickle_value *const *part = arguments->list.item;
    if (arguments->list.count < (v3 ? 7 : 4) || part[1]->kind != CHL_PICKLE_INT ||
        part[2]->kind != CHL_PICKLE_TUPLE || part[3]->kind != CHL_PICKLE_TUPLE ||
        part[2]->list.count != part[3]->list.count)
        return damaged(key, file);
    if (part[2]->list.count > CHL_MAX_RANK)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: \"%s\" has rank %lld, expected 0 to %d", file,
                        key, (long long)part[2]->list.count, CHL_MAX_RANK);
    chl_view view = {.rank = (int32_t)part[2]->list.count, .offset = part[1]->integer};
    if (!read_sizes(part[2], view.dim, CHL_MAX_RANK) ||
        !read_sizes(part[3], view.stride, CHL_MAX_RANK))
        return damaged(key, file);
    if (part[0]->kind != CHL_PICKLE_STORAGE)
        CHL_TRY(source->resolve(source->context, part[0], file));
    view.storage = part[0]->storage.data;
    view.storage_bytes = part[0]->storage.size;
    view.element = v3 ? element_of_dtype(part[6]) : (chl_element)part[0]->storage.element;
    const int64_t before = into->count;
    CHL_TRY(chl_view_copy(&view, key, into));
    return chl_torch_spend(budget, (size_t)chl_bytes(&into->array[before].desc), key, file);
}

chl_status chl_torch_tensor(chl_pickle_value *value, const char *key,
                            const chl_torch_source *source, chl_torch_budget *budget,
                            chl_params *into) {
    const chl_status status = read_tensor(value, key, source, budget, into);
    if (status != CHL_ERR_UNSUPPORTED) return status;
    char why[1024], quoted[CHL_KEY_LENGTH + 3];
    const char *text = chl_error();
    const size_t file = strlen(into->source);
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    if (strstr(text, quoted))
        snprintf(why, sizeof why, "%s", text);
    else /* about the storage alone */
        snprintf(why, sizeof why, "%s: %s%s", into->source, quoted,
                 strncmp(text, into->source, file) == 0 ? text + file : text);
    CHL_TRY(chl_torch_spend(budget, sizeof why, key, into->source));
    return chl_params_add_unreadable(into, key, why);
}
