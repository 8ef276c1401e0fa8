/* Importing an encoder for inversion: what it is, its sizes, and one layer in our order. */
#include "base/facts.h"
#include "nets/layers.h"
#include "nets/style_encoder.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS "opts:" /* io/torch_facts.h */
#define USUAL_SIDE 256  /* of the pictures, where the arrays do not tell */

const char *const chl_style_type[] = {[CHL_STYLE_E4E] = "'Encoder4Editing'",
                                      [CHL_STYLE_PSP] = "'GradualStyleEncoder'",
                                      [CHL_STYLE_W_PLUS] =
                                          "'BackboneEncoderUsingLastLayerIntoWPlus'",
                                      [CHL_STYLE_W] = "'BackboneEncoderUsingLastLayerIntoW'"};

static chl_fact *option(const chl_params *params, const char *name) {
    for (int64_t i = 0; i < params->facts; i++)
        if (strcmp(params->fact[i].name, name) == 0) return &params->fact[i];
    return NULL;
}

const char *chl_style_stated_type(const chl_params *params) {
    const chl_fact *type = option(params, OPTIONS "encoder_type");
    return type ? type->value : NULL;
}

/* --- which one -------------------------------------------------------------------------------- */
static chl_status find_kind(chl_params *params, chl_style_kind *kind) {
    chl_fact *type = option(params, OPTIONS "encoder_type");
    const bool plain =
        !chl_params_has(params, "latlayer1.weight") && chl_params_has(params, "linear.weight");
    if (type) type->used = true;
    if (plain) {
        const bool all = chl_params_has(params, "output_layer_2.0.weight");
        *kind = all ? CHL_STYLE_W_PLUS : CHL_STYLE_W;
        return type ? chl_fact_need(params, type, chl_style_type[*kind]) : CHL_OK;
    }
    if (!type)
        return chl_fail(CHL_ERR_KEY,
                        "%s: does not state \"" OPTIONS "encoder_type\": expected an encoder for "
                        "inversion as its project saves it, with `opts` beside `state_dict`, for "
                        "an e4e and a pSp have the same arrays",
                        params->source);
    *kind = strcmp(type->value, chl_style_type[CHL_STYLE_E4E]) == 0 ? CHL_STYLE_E4E : CHL_STYLE_PSP;
    return *kind == CHL_STYLE_E4E ? CHL_OK : chl_fact_need(params, type, chl_style_type[*kind]);
}

/* --- sizes ------------------------------------------------------------------------------------ */
static chl_status read_trunk(chl_params *params, chl_style_config *config) {
    chl_array *first;
    CHL_TRY(chl_irse_read(params, "", &config->trunk));
    CHL_TRY(chl_params_require(params, 4, &first, "input_layer.0.weight"));
    if (first->desc.dim[1] == 3) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: \"%s\" takes %d channels, expected the 3 of a picture: an encoder of "
                    "sketches, segmentations or pairs of pictures",
                    params->source, first->name, (int)first->desc.dim[1]);
}

/* The maps are the outputs of the last three of the trunk's four stages. */
static chl_status find_maps(const chl_params *params, chl_style_config *config) {
    const chl_arcface_config *trunk = &config->trunk;
    int stages = 1;
    for (int i = 1; i < trunk->units; i++) {
        if (!trunk->unit[i].projection) continue;
        if (++stages > 2 && stages <= 4) config->last_unit[5 - stages] = i - 1;
    }
    config->last_unit[0] = trunk->units - 1;
    if (stages == 4) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE, "%s: its body has %d widths, expected the 4 of an IR-SE50",
                    params->source, stages);
}

static chl_status read_tower(chl_params *params, int row, chl_style_config *config) {
    int convs = 0, latent;
    char name[64];
    for (; chl_params_has(params, "styles.%d.convs.%d.weight", row, 2 * convs); convs++) {
        CHL_TRY(chl_params_use(params, 4, NULL, "styles.%d.convs.%d.weight", row, 2 * convs));
        CHL_TRY(chl_params_use(params, 1, NULL, "styles.%d.convs.%d.bias", row, 2 * convs));
    }
    snprintf(name, sizeof name, "styles.%d.linear", row);
    CHL_TRY(chl_params_use_linear(params, name, &latent));
    if (row == 0) {
        config->convs = convs;
        config->latent = latent;
    }
    config->map[row] = convs - config->convs;
    if (convs >= 1 && config->map[row] >= 0 && config->map[row] < CHL_STYLE_MAPS) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE,
                    "%s: \"styles.%d\" has %d convolutions and \"styles.0\" has %d: expected as "
                    "many or up to %d more",
                    params->source, row, convs, config->convs, CHL_STYLE_MAPS - 1);
}

static chl_status read_gradual(chl_params *params, chl_style_config *config) {
    static const char *const lateral[] = {"latlayer1", "latlayer2"};
    CHL_TRY(find_maps(params, config));
    for (int i = 0; i < 2; i++) {
        CHL_TRY(chl_params_use(params, 4, NULL, "%s.weight", lateral[i]));
        CHL_TRY(chl_params_use(params, 1, NULL, "%s.bias", lateral[i]));
    }
    int row = 0;
    for (; row == 0 || chl_params_has(params, "styles.%d.linear.weight", row); row++) {
        if (row == CHL_STYLE_ROWS)
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s: codes of more than %d rows", params->source,
                            CHL_STYLE_ROWS);
        CHL_TRY(read_tower(params, row, config));
    }
    config->rows = row;
    config->side = 16 << config->convs; /* four stages halve, then each convolution of a tower */
    return CHL_OK;
}

/* The rows are as wide as what lies between the two layers. */
static chl_status read_w_plus(chl_params *params, chl_style_config *config) {
    const char *const ours = "output_layer_2.3.weight_nhwc";
    const bool done = chl_params_has(params, "%s", ours);
    const int width = config->trunk.unit[config->trunk.units - 1].out;
    int outputs;
    chl_array *a;
    CHL_TRY(chl_params_use_batch_norm(params, "output_layer_2.0."));
    CHL_TRY(chl_params_use(params, 1, NULL, "output_layer_2.3.bias"));
    CHL_TRY(chl_params_use(params, 2, &a, "%s", done ? ours : "output_layer_2.3.weight"));
    CHL_TRY(chl_params_use_linear(params, "linear", &outputs));
    config->latent = (int)a->desc.dim[0];
    config->grid = (int)lround(sqrt((double)a->desc.dim[1] / width));
    config->rows = outputs / config->latent;
    config->side = USUAL_SIDE;
    if ((int64_t)config->grid * config->grid * width != a->desc.dim[1])
        return chl_fail(CHL_ERR_SHAPE,
                        "%s: \"%s\" has %d columns, expected %d channels of a square map",
                        params->source, a->name, (int)a->desc.dim[1], width);
    if (config->rows < 1 || config->rows > CHL_STYLE_ROWS ||
        config->rows * config->latent != outputs)
        return chl_fail(CHL_ERR_SHAPE,
                        "%s: \"linear.weight\" has %d rows, expected up to %d times %d",
                        params->source, outputs, CHL_STYLE_ROWS, config->latent);
    return done ? CHL_OK : chl_columns_channels_last(params, a, width, ours);
}

static chl_status read_w(chl_params *params, chl_style_config *config) {
    config->rows = 1;
    config->side = USUAL_SIDE;
    return chl_params_use_linear(params, "linear", &config->latent);
}

/* --- options ---------------------------------------------------------------------------------- */
/* [latent] or [rows,latent], so that a trained network finds it as it is used. */
static chl_status read_average(chl_params *params, chl_style_config *config) {
    chl_fact *starts = option(params, OPTIONS "start_from_latent_avg");
    chl_array *average = chl_params_find(params, "latent_avg");
    double added = average != NULL;
    if (starts) starts->used = true;
    if (starts && !chl_fact_number(starts, &added))
        return chl_fact_refuse(params, starts, "True or False");
    if (average) average->used = true;
    if (added == 0) return CHL_OK;
    if (!average)
        return chl_fail(CHL_ERR_KEY,
                        "%s: \"latent_avg\" is missing, to which its codes are to be added "
                        "(\"" OPTIONS "start_from_latent_avg\" = True)",
                        params->source);
    const int64_t numbers = chl_count(&average->desc), rows = numbers / config->latent;
    config->average_rows = (int)rows;
    if (average->desc.dtype == CHL_F32 && rows * config->latent == numbers &&
        (rows == 1 || rows == config->rows))
        return chl_reshape_array(params, average,
                                 rows == 1 ? chl_f32(1, config->latent)
                                           : chl_f32(2, (int)rows, config->latent));
    char have[96];
    return chl_fail(CHL_ERR_SHAPE, "%s: \"latent_avg\" is %s, expected [%d] or [%d,%d]",
                    params->source, chl_shape_text(&average->desc, have, sizeof have),
                    config->latent, config->rows, config->latent);
}

/* e4e's encoders of cars see pictures of 192 x 256. */
static chl_status check_data(const chl_params *params) {
    chl_fact *data = option(params, OPTIONS "dataset_type");
    if (!data) return CHL_OK;
    data->used = true;
    if (strncmp(data->value, "'cars", strlen("'cars")) != 0) return CHL_OK;
    return chl_fact_refuse(params, data, "an encoder of square pictures");
}

chl_status chl_style_import(chl_params *params, chl_style_config *config) {
    *config = (chl_style_config){0};
    CHL_TRY(read_trunk(params, config)); /* a file of another kind is told by what it lacks */
    CHL_TRY(find_kind(params, &config->kind));
    CHL_TRY(config->kind == CHL_STYLE_W_PLUS ? read_w_plus(params, config)
            : config->kind == CHL_STYLE_W    ? read_w(params, config)
                                             : read_gradual(params, config));
    CHL_TRY(read_average(params, config));
    return check_data(params);
}
