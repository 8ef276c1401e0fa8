#include "nets/class_names.h"
#include "nets/random_weights.h"
#include <stdlib.h>
#include <string.h>

chl_status chl_class_names_add(chl_params *params, const char *prefix, int count,
                               const char *const *name) {
    for (int k = 0; k < count; k++)
        CHL_TRY(
            chl_params_add_normal(params, 0, 0, 0, chl_f32(1, 1), "%s%d.%s", prefix, k, name[k]));
    return CHL_OK;
}

chl_status chl_class_names_take(chl_params *params, const char *prefix, int count,
                                const char **name) {
    for (int64_t i = 0; i < params->count; i++) {
        chl_array *array = &params->array[i];
        if (strncmp(array->name, prefix, strlen(prefix)) != 0) continue;
        char *end;
        const long index = strtol(array->name + strlen(prefix), &end, 10);
        if (*end != '.' || index < 0 || index >= count || name[index])
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: \"%s\": the indices of kinds must be 0 to %d, each once",
                            params->source, array->name, count - 1);
        name[index] = end + 1;
        array->used = true;
    }
    for (int k = 0; k < count; k++)
        if (!name[k]) return chl_fail(CHL_ERR_KEY, "%s: no \"%s%d.*\"", params->source, prefix, k);
    return CHL_OK;
}
