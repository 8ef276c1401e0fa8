#include "models/style_encoder.h"
#include "graph/build.h"
#include <stdlib.h>
#include <string.h>

static bool is_gradual(const chl_params *params) {
    return chl_params_find(params, "latlayer1.weight") != NULL;
}

static bool is_e4e(const chl_params *params) {
    const char *type = chl_style_stated_type(params);
    return is_gradual(params) && type && strcmp(type, chl_style_type[CHL_STYLE_E4E]) == 0;
}

static bool reads_last_map(const chl_params *params) {
    return chl_params_find(params, "linear.weight") &&
           chl_params_find(params, "body.0.res_layer.1.weight");
}

const chl_model_kind chl_kind_e4e = {"an e4e encoder for inversion", CHL_ROLE_STYLE_ENCODER,
                                     is_e4e};
const chl_model_kind chl_kind_psp = {"a pSp encoder for inversion", CHL_ROLE_STYLE_ENCODER,
                                     is_gradual};
const chl_model_kind chl_kind_psp_last_map = {"a pSp encoder for inversion, of the last map alone",
                                              CHL_ROLE_STYLE_ENCODER, reads_last_map};

chl_status chl_style_encoder_new(const chl_model *model, chl_style_encoder **out) {
    *out = NULL;
    chl_style_encoder *encoder = chl_model_take(model, sizeof *encoder);
    if (!encoder) return chl_fail(CHL_ERR_MEMORY, "out of memory for an encoder for inversion");
    chl_status status;
    CHL_TRY_GOTO(chl_style_import(encoder->model.params, &encoder->config));
    CHL_TRY_GOTO(chl_params_check_all_used(encoder->model.params));
    *out = encoder;
    return CHL_OK;
done:
    chl_style_encoder_close(encoder);
    return status;
}

void chl_style_encoder_close(chl_style_encoder *encoder) {
    if (!encoder) return;
    chl_model_close(&encoder->model);
    free(encoder);
}

chl_status chl_style_encoder_fits(const chl_style_encoder *encoder,
                                  const chl_generator *generator) {
    const chl_style_config *config = &encoder->config;
    const chl_generator_sizes *sizes = &generator->sizes;
    const int rows = config->kind == CHL_STYLE_W ? sizes->rows : config->rows;
    if (rows == sizes->rows && config->latent == sizes->latent) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE,
                    "%s makes codes of %d rows of %d, %s takes %d rows of %d: they were not "
                    "trained together",
                    encoder->model.params->source, rows, config->latent,
                    generator->model.params->source, sizes->rows, sizes->latent);
}

static void build(const void *owner, const chl_graph_key *key, chl_net *net, chl_compiled *to) {
    const chl_style_config *config = owner;
    const int side = config->side;
    const chl_filter filter = key->height > side ? CHL_FILTER_AREA : CHL_FILTER_BILINEAR;
    chl_tensor x = to->in[0] =
        chl_input(net->graph, "picture", chl_f32(4, key->n, key->height, key->width, 3));
    if (key->height != side) x = chl_resize(net->graph, x, filter, side, side);
    to->out = chl_style_codes(net, config, x);
}

chl_status chl_style_encoder_code(chl_style_encoder *encoder, int side, const float *pixels,
                                  int rows, float *code) {
    const chl_style_config *config = &encoder->config;
    const chl_graph_key key = {.n = 1, .height = side, .width = side};
    CHL_TRY(chl_model_run(&encoder->model, &key, build, config,
                          (const void *const[CHL_GRAPH_INPUTS]){pixels}, code));
    for (int row = 1; config->kind == CHL_STYLE_W && row < rows; row++)
        memcpy(code + (size_t)row * (size_t)config->latent, code,
               sizeof(float) * (size_t)config->latent);
    return CHL_OK;
}

chl_status chl_style_encoder_plan(const chl_style_encoder *encoder, int side, chl_plan *plan) {
    const chl_graph_key key = {.n = 1, .height = side, .width = side};
    chl_compiled compiled = {.key = key};
    CHL_TRY(chl_model_graph(&encoder->model, &compiled.graph));
    chl_net net = chl_model_net(&encoder->model, compiled.graph);
    build(&encoder->config, &key, &net, &compiled);
    chl_keep(compiled.graph, compiled.out);
    const chl_status status = chl_dry_run(compiled.graph, plan);
    chl_net_done(&net);
    chl_graph_free(compiled.graph);
    return status;
}
