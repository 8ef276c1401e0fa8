/* A generator whose weights are replaced by others, and go back to those of its file. */
#include "base/facts.h"
#include "io/weights.h"
#include "models/generator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

chl_status chl_generator_replace(chl_generator *generator, const char *name, void *data) {
    chl_params *params = generator->model.params;
    chl_array *array = chl_params_find(params, name);
    if (!array) return chl_params_missing(params, name);
    if (!generator->original)
        generator->original = calloc((size_t)params->count, sizeof *generator->original);
    if (!generator->original)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for other weights", params->source);
    chl_model_forget_graphs(&generator->model);
    void **original = &generator->original[array - params->array];
    if (*original)
        free(array->data);
    else
        *original = array->data;
    array->data = data;
    return CHL_OK;
}

void chl_generator_restore(chl_generator *generator) {
    const chl_params *params = generator->model.params;
    if (!generator->original) return;
    chl_model_forget_graphs(&generator->model);
    for (int64_t i = 0; i < params->count; i++) {
        if (!generator->original[i]) continue;
        free(params->array[i].data);
        params->array[i].data = generator->original[i];
    }
    free(generator->original);
    generator->original = NULL;
}

/* The network's names are one project's, whose files have a clamp of their own where they state
 * none. */
static chl_status state_clamp(const chl_generator *generator) {
    chl_params *params = generator->model.params;
    char value[32] = "None";
    for (int64_t i = 0; i < params->facts; i++)
        if (strcmp(chl_fact_argument(&params->fact[i]), "conv_clamp") == 0) return CHL_OK;
    if (*generator->clamp > 0)
        (void)snprintf(value, sizeof value, "%.9g", (double)*generator->clamp);
    return chl_params_state(params, ":synthesis_kwargs.conv_clamp", value);
}

chl_status chl_generator_write(const chl_generator *generator, const char *path) {
    CHL_TRY(state_clamp(generator));
    if (generator->kind->state)
        CHL_TRY(generator->kind->state(generator->model.params, generator->config));
    return chl_weights_write_safetensors(generator->model.params, path);
}
