#include "io/one_array.h"
#include "io/weights.h"
#include <stdlib.h>
#include <string.h>

/* What projectors call it: stylegan2-ada-pytorch; rosinality (per picture, hence the last part of
 * the name); e4e, pSp, StyleCLIP. */
static const char *const names[] = {"w",           "w_plus",      "latent",   "latents",
                                    "latent_code", "projected_w", "latent_in"};

static bool is_called(const char *name, const char *wanted) {
    const char *dot = strrchr(name, '.');
    return strcmp(dot ? dot + 1 : name, wanted) == 0;
}

/* The only array with one of the names, or the only array; NULL when there is none or several. */
static chl_array *choose(const chl_params *params) {
    if (params->count == 1) return params->array[0].problem ? NULL : &params->array[0];
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        chl_array *found = NULL;
        for (int64_t i = 0; i < params->count; i++) {
            if (params->array[i].problem || !is_called(params->array[i].name, names[k])) continue;
            if (found) return NULL;
            found = &params->array[i];
        }
        if (found) return found;
    }
    return NULL;
}

static bool is_alike(const chl_desc *a, const chl_desc *b) {
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++) same = a->dim[i] == b->dim[i];
    return same;
}

static bool is_list(const chl_params *params) {
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *array = &params->array[i];
        char *end;
        if (array->problem || strtoll(array->name, &end, 10) != i || *end ||
            !is_alike(&array->desc, &params->array[0].desc))
            return false;
    }
    return params->count > 0 && params->array[0].desc.rank < CHL_MAX_RANK;
}

static chl_status join(const chl_params *params, chl_desc *desc, void **data) {
    const chl_desc one = params->array[0].desc;
    const size_t bytes = (size_t)chl_bytes(&one);
    desc->dtype = one.dtype;
    desc->rank = one.rank + 1;
    desc->dim[0] = params->count;
    memcpy(desc->dim + 1, one.dim, (size_t)one.rank * sizeof one.dim[0]);
    *data = malloc((size_t)params->count * bytes + 1);
    if (!*data) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", params->source);
    for (int64_t i = 0; i < params->count; i++)
        memcpy((char *)*data + (size_t)i * bytes, params->array[i].data, bytes);
    return CHL_OK;
}

static chl_status take(const chl_params *params, chl_desc *desc, void **data) {
    char listed[512];
    chl_array *array = choose(params);
    if (array) {
        *desc = array->desc;
        *data = array->data;
        array->data = NULL;
        return CHL_OK;
    }
    if (is_list(params)) return join(params, desc, data);
    chl_params_list_names(params, listed, sizeof listed);
    return chl_fail(
        CHL_ERR_FORMAT,
        "%s: has %lld arrays (%s), expected one, or one called w, latent or w_plus: save "
        "the array that is meant alone",
        params->source, (long long)params->count, listed);
}

chl_status chl_one_array_read(const char *path, chl_desc *desc, void **data) {
    chl_params *params;
    *data = NULL;
    *desc = (chl_desc){.rank = 0};
    CHL_TRY(chl_weights_read(path, &params));
    const chl_status status = take(params, desc, data);
    chl_params_free(params);
    return status;
}
