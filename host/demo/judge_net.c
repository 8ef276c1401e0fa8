#include "demo/judge_net.h"
#include "graph/build.h"
#include "nets/class_names.h"
#include "nets/random_weights.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NORM_EPS 1e-5f
#define NAME_PREFIX "kind_name."
#define MAX_SIDE 4096

const char *chl_judge_question_name(chl_judge_question question) {
    static const char *const names[CHL_JUDGE_QUESTIONS] = {"kind", "time", "season", "house"};
    return names[question];
}

/* --- files ------------------------------------------------------------------------------------ */

static chl_status take(chl_params *params, chl_desc shape, const char *name) {
    chl_array *array;
    CHL_TRY(chl_params_require(params, shape.rank, &array, "%s", name));
    if (!chl_same_shape(&array->desc, &shape)) {
        char have[96], want[96];
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" must be %s, got %s", params->source, name,
                        chl_shape_text(&shape, want, sizeof want),
                        chl_shape_text(&array->desc, have, sizeof have));
    }
    array->used = true;
    return CHL_OK;
}

static chl_status import_stages(chl_params *params, chl_judge_config *config) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    int in = 3;
    for (int i = 0; i == 0 || chl_params_has(params, "conv%d.weight", i); i++) {
        chl_array *w;
        char name[64];
        if (i == CHL_JUDGE_STAGES)
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s: at most %d stages are supported",
                            params->source, CHL_JUDGE_STAGES);
        CHL_TRY(chl_params_require(params, 4, &w, "conv%d.weight", i));
        const int out = (int)w->desc.dim[0];
        snprintf(name, sizeof name, "conv%d.weight", i);
        CHL_TRY(take(params, chl_f32(4, out, in, 3, 3), name));
        for (int k = 0; k < 4; k++) {
            snprintf(name, sizeof name, "norm%d.%s", i, parts[k]);
            CHL_TRY(take(params, chl_f32(1, out), name));
        }
        config->width[i] = in = out;
        config->stages = i + 1;
    }
    return CHL_OK;
}

static chl_status import_heads(chl_params *params, chl_judge_config *config) {
    const int in = config->width[config->stages - 1];
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        char name[64];
        chl_array *w;
        snprintf(name, sizeof name, "%s.weight", chl_judge_question_name(q));
        CHL_TRY(chl_params_require(params, 2, &w, "%s", name));
        if (w->desc.dim[0] > CHL_JUDGE_CLASSES)
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: \"%s\" must have at most %d rows, a class each", params->source,
                            name, CHL_JUDGE_CLASSES);
        config->classes[q] = (int)w->desc.dim[0];
        CHL_TRY(take(params, chl_f32(2, config->classes[q], in), name));
        snprintf(name, sizeof name, "%s.bias", chl_judge_question_name(q));
        CHL_TRY(take(params, chl_f32(1, config->classes[q]), name));
    }
    return CHL_OK;
}

chl_status chl_judge_import(chl_params *params, chl_judge_config *config) {
    *config = (chl_judge_config){0};
    CHL_TRY(take(params, chl_f32(1, 1), "input.side"));
    const float side = *(const float *)chl_params_find(params, "input.side")->data;
    if (!(side >= 1 && side <= MAX_SIDE))
        return chl_fail(CHL_ERR_FORMAT, "%s: \"input.side\" must be 1 to %d pixels, got %g",
                        params->source, MAX_SIDE, side);
    config->side = (int)side;
    CHL_TRY(import_stages(params, config));
    CHL_TRY(import_heads(params, config));
    return chl_class_names_take(params, NAME_PREFIX, config->classes[CHL_JUDGE_KIND],
                                config->kind_name);
}

static chl_status add_weights(const chl_judge_config *config, uint64_t seed, chl_params *params) {
    CHL_TRY(
        chl_params_add_normal(params, seed, (float)config->side, 0, chl_f32(1, 1), "input.side"));
    int in = 3;
    for (int i = 0; i < config->stages; i++) {
        const int out = config->width[i];
        const chl_desc vector = chl_f32(1, out);
        CHL_TRY(chl_params_add_normal(params, seed, 0, sqrtf(2 / (9.0f * (float)in)),
                                      chl_f32(4, out, in, 3, 3), "conv%d.weight", i));
        CHL_TRY(chl_params_add_normal(params, seed, 1, 0, vector, "norm%d.weight", i));
        CHL_TRY(chl_params_add_normal(params, seed, 0, 0, vector, "norm%d.bias", i));
        CHL_TRY(chl_params_add_normal(params, seed, 0, 0, vector, "norm%d.running_mean", i));
        CHL_TRY(chl_params_add_normal(params, seed, 1, 0, vector, "norm%d.running_var", i));
        in = out;
    }
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        const char *name = chl_judge_question_name(q);
        CHL_TRY(chl_params_add_normal(params, seed, 0, 1 / sqrtf((float)in),
                                      chl_f32(2, config->classes[q], in), "%s.weight", name));
        CHL_TRY(chl_params_add_normal(params, seed, 0, 0, chl_f32(1, config->classes[q]), "%s.bias",
                                      name));
    }
    return chl_class_names_add(params, NAME_PREFIX, config->classes[CHL_JUDGE_KIND],
                               config->kind_name);
}

chl_status chl_judge_random(const chl_judge_config *config, uint64_t seed, chl_params **out) {
    CHL_TRY(chl_params_new("random judge", out));
    return chl_params_give(*out, add_weights(config, seed, *out), out);
}

/* --- the network ------------------------------------------------------------------------------ */

void chl_judge_net(chl_net *net, const chl_judge_config *config, chl_tensor x,
                   chl_judge_statistics *statistics, chl_tensor logits[CHL_JUDGE_QUESTIONS]) {
    chl_graph *g = net->graph;
    int in = 3;
    x = chl_to_compute_type(g, x);
    for (int i = 0; i < config->stages; i++) {
        const chl_desc vector = chl_f32(1, config->width[i]);
        const chl_tensor w =
            chl_weight_shaped(net, chl_f32(4, config->width[i], in, 3, 3), "conv%d.weight", i);
        const chl_tensor gamma = chl_weight_shaped(net, vector, "norm%d.weight", i);
        const chl_tensor beta = chl_weight_shaped(net, vector, "norm%d.bias", i);
        x = chl_conv(g, x, w, CHL_NONE, 2, 1);
        if (statistics) {
            x = chl_batch_norm_train(g, x, gamma, beta, NORM_EPS, &statistics->mean[i],
                                     &statistics->var[i]);
        } else {
            const chl_tensor mean = chl_weight_frozen(net, vector, "norm%d.running_mean", i);
            const chl_tensor var = chl_weight_frozen(net, vector, "norm%d.running_var", i);
            x = chl_batch_norm(g, x, gamma, beta, mean, var, NORM_EPS);
        }
        x = chl_activate(g, x, CHL_LEAKY_RELU, 0);
        in = config->width[i];
    }
    x = chl_to_float32(g, chl_mean_pool(g, x));
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        const char *name = chl_judge_question_name(q);
        const chl_tensor w =
            chl_weight_shaped(net, chl_f32(2, config->classes[q], in), "%s.weight", name);
        const chl_tensor b =
            chl_weight_shaped(net, chl_f32(1, config->classes[q]), "%s.bias", name);
        logits[q] = chl_linear(g, x, w, b);
    }
}
