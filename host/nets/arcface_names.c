/* Importing ArcFace's checkpoint: sizes off the shapes, and the last layer in our order. */
#include "nets/arcface.h"
#include "nets/layers.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static chl_status read_unit(chl_params *params, const char *unit, bool first, chl_irse_unit *u) {
    chl_array *a;
    CHL_TRY(chl_params_use_batch_norm(params, "%sres_layer.0.", unit));
    CHL_TRY(chl_params_use(params, 1, NULL, "%sres_layer.2.weight", unit));
    CHL_TRY(chl_params_use(params, 4, NULL, "%sres_layer.3.weight", unit));
    CHL_TRY(chl_params_use_batch_norm(params, "%sres_layer.4.", unit));
    CHL_TRY(chl_params_use(params, 4, &a, "%sres_layer.5.fc1.weight", unit));
    u->squeeze = (int)a->desc.dim[0];
    CHL_TRY(chl_params_use(params, 4, NULL, "%sres_layer.5.fc2.weight", unit));
    CHL_TRY(chl_params_use(params, 4, &a, "%sres_layer.1.weight", unit));
    u->out = (int)a->desc.dim[0];
    u->in = (int)a->desc.dim[1];
    u->projection = chl_params_has(params, "%sshortcut_layer.0.weight", unit);
    if (u->projection) {
        CHL_TRY(chl_params_use(params, 4, NULL, "%sshortcut_layer.0.weight", unit));
        CHL_TRY(chl_params_use_batch_norm(params, "%sshortcut_layer.1.", unit));
    }
    /* A stage begins where the width changes, and with the very first unit; it halves the map. */
    u->stride = first || u->projection ? 2 : 1;
    return CHL_OK;
}

chl_status chl_irse_read(chl_params *params, const char *prefix, chl_arcface_config *config) {
    *config = (chl_arcface_config){0};
    chl_params_ignore_suffix(params, "num_batches_tracked");
    chl_array *a;
    CHL_TRY(chl_params_use(params, 1, NULL, "%sinput_layer.2.weight", prefix));
    CHL_TRY(chl_params_use_batch_norm(params, "%sinput_layer.1.", prefix));
    CHL_TRY(chl_params_use(params, 4, &a, "%sinput_layer.0.weight", prefix));
    config->width = (int)a->desc.dim[0];
    int i = 0;
    for (; chl_params_has(params, "%sbody.%d.res_layer.1.weight", prefix, i); i++) {
        if (i == CHL_IRSE_UNITS)
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s: the network has more than %d units",
                            params->source, CHL_IRSE_UNITS);
        char unit[128];
        snprintf(unit, sizeof unit, "%sbody.%d.", prefix, i);
        CHL_TRY(read_unit(params, unit, i == 0, &config->unit[i]));
    }
    config->units = i;
    if (i) return CHL_OK;
    return chl_fail(CHL_ERR_KEY,
                    "%s: \"%sbody.0.res_layer.1.weight\" is missing: this is not an IR-SE50",
                    params->source, prefix);
}

chl_status chl_arcface_import(chl_params *params, chl_arcface_config *config) {
    CHL_TRY(chl_irse_read(params, "", config));
    CHL_TRY(chl_params_use_batch_norm(params, "output_layer.0."));
    CHL_TRY(chl_params_use_batch_norm(params, "output_layer.4."));
    CHL_TRY(chl_params_use(params, 1, NULL, "output_layer.3.bias"));
    bool done = chl_params_has(params, "output_layer.3.weight_nhwc");
    chl_array *a;
    CHL_TRY(chl_params_use(params, 2, &a, "%s",
                           done ? "output_layer.3.weight_nhwc" : "output_layer.3.weight"));
    config->embed = (int)a->desc.dim[0];
    int channels = config->unit[config->units - 1].out;
    int side = (int)lround(sqrt((double)a->desc.dim[1] / channels));
    if ((int64_t)channels * side * side != a->desc.dim[1])
        return chl_fail(CHL_ERR_SHAPE,
                        "%s: \"%s\" has %d columns, expected %d channels of a square map",
                        params->source, a->name, (int)a->desc.dim[1], channels);
    for (int i = 0; i < config->units; i++) side *= config->unit[i].stride;
    config->side = side;
    return done ? CHL_OK
                : chl_columns_channels_last(params, a, channels, "output_layer.3.weight_nhwc");
}
