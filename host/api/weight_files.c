/* The public header's arrays and weight files. */
#include "base/options.h"
#include "graph/graph.h"
#include "io/npy.h"
#include "io/one_array.h"
#include "io/safetensors.h"
#include "io/weights.h"
#include "models/registry.h"
#include "nets/small_models.h"
#include <chladni/engine.h>
#include <stdlib.h>
#include <string.h>

/* In place. Those that float32 does not hold would become others. */
static chl_status to_floats(const char *path, const chl_desc *desc, void *values) {
    const int64_t count = (int64_t)chl_bytes(desc) / (int64_t)sizeof(int32_t);
    for (int64_t i = 0; i < count; i++) {
        int32_t whole;
        memcpy(&whole, (const char *)values + (size_t)i * sizeof whole, sizeof whole);
        const float number = (float)whole;
        if ((int64_t)number != whole)
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: number %lld is %d, which float32 does not hold: save the array as "
                            "float32",
                            path, (long long)i, (int)whole);
        memcpy((char *)values + (size_t)i * sizeof number, &number, sizeof number);
    }
    return CHL_OK;
}

chl_status chl_array_read(const char *path, int *rank, int64_t *dim, float **data) {
    CHL_NEEDS(path, rank, dim, data);
    chl_desc desc;
    void *values;
    *data = NULL;
    CHL_TRY(chl_one_array_read(path, &desc, &values));
    const chl_status status = desc.dtype == CHL_F32 ? CHL_OK : to_floats(path, &desc, values);
    if (status != CHL_OK) {
        free(values);
        return status;
    }
    *rank = desc.rank;
    for (int i = 0; i < desc.rank; i++) dim[i] = desc.dim[i];
    *data = values;
    return CHL_OK;
}

chl_status chl_array_write(const char *path, int rank, const int64_t *dim, const float *data) {
    CHL_NEEDS(path, dim, data);
    if (rank < 0 || rank > CHL_MAX_RANK)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: rank must be in [0, %d], got %d", path, CHL_MAX_RANK,
                        rank);
    chl_desc desc = chl_make_desc(CHL_F32, rank, dim);
    return chl_npy_write(path, &desc, data);
}

chl_status chl_weights_inspect(const char *path, chl_array_callback callback, void *user) {
    CHL_NEEDS(path, callback);
    chl_params *params;
    CHL_TRY(chl_weights_read(path, &params));
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *array = &params->array[i];
        const char *dtype = array->problem                 ? "unreadable"
                            : array->desc.dtype == CHL_F32 ? "f32"
                                                           : "i32";
        callback(user, array->name, dtype, array->desc.rank, array->desc.dim);
    }
    chl_params_free(params);
    return CHL_OK;
}

chl_status chl_weights_models(const char *path, size_t size, char *text) {
    CHL_NEEDS(path, text);
    CHL_TRY(chl_check_int(size >= 1, "size", ">= 1", (int64_t)size));
    return chl_models_in(path, text, size);
}

chl_status chl_weights_convert(const char *from, chl_float_format format, const char *to) {
    CHL_NEEDS(from, to);
    CHL_TRY(chl_check_enum((int)format, CHL_FLOAT16 + 1, "format"));
    chl_params *params;
    CHL_TRY(chl_weights_read(from, &params));
    chl_status status = chl_safetensors_write(
        params, format == CHL_FLOAT16 ? CHL_ELEMENT_F16 : CHL_ELEMENT_F32, to);
    chl_params_free(params);
    return status;
}

chl_status chl_weights_random(const char *kind, uint64_t seed, const char *to) {
    CHL_NEEDS(kind, to);
    chl_params *params;
    CHL_TRY(chl_small_model(kind, seed, &params));
    chl_status status = chl_weights_write_safetensors(params, to);
    chl_params_free(params);
    return status;
}
