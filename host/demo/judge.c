#include "demo/judge.h"
#include "graph/build.h"
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
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" is %s where %s is expected", params->source,
                        name, chl_shape_text(&array->desc, have, sizeof have),
                        chl_shape_text(&shape, want, sizeof want));
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
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s: more than %d stages", params->source,
                            CHL_JUDGE_STAGES);
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
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s: \"%s\" has more than %d classes",
                            params->source, name, CHL_JUDGE_CLASSES);
        config->classes[q] = (int)w->desc.dim[0];
        CHL_TRY(take(params, chl_f32(2, config->classes[q], in), name));
        snprintf(name, sizeof name, "%s.bias", chl_judge_question_name(q));
        CHL_TRY(take(params, chl_f32(1, config->classes[q]), name));
    }
    return CHL_OK;
}

static chl_status import_kind_names(chl_params *params, chl_judge_config *config) {
    const int kinds = config->classes[CHL_JUDGE_KIND];
    for (int64_t i = 0; i < params->count; i++) {
        chl_array *array = &params->array[i];
        if (strncmp(array->name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0) continue;
        char *end;
        const long index = strtol(array->name + strlen(NAME_PREFIX), &end, 10);
        if (*end != '.' || index < 0 || index >= kinds || config->kind_name[index])
            return chl_fail(CHL_ERR_FORMAT, "%s: \"%s\" names no kind of the %d there are",
                            params->source, array->name, kinds);
        config->kind_name[index] = end + 1;
        array->used = true;
    }
    for (int k = 0; k < kinds; k++)
        if (!config->kind_name[k])
            return chl_fail(CHL_ERR_KEY, "%s: no \"" NAME_PREFIX "%d.*\"", params->source, k);
    return CHL_OK;
}

chl_status chl_judge_import(chl_params *params, chl_judge_config *config) {
    *config = (chl_judge_config){0};
    CHL_TRY(take(params, chl_f32(1, 1), "input.side"));
    const float side = *(const float *)chl_params_find(params, "input.side")->data;
    if (!(side >= 1 && side <= MAX_SIDE))
        return chl_fail(CHL_ERR_FORMAT, "%s: \"input.side\" is %g pixels", params->source, side);
    config->side = (int)side;
    CHL_TRY(import_stages(params, config));
    CHL_TRY(import_heads(params, config));
    return import_kind_names(params, config);
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
    for (int k = 0; k < config->classes[CHL_JUDGE_KIND]; k++)
        CHL_TRY(chl_params_add_normal(params, seed, 0, 0, chl_f32(1, 1), NAME_PREFIX "%d.%s", k,
                                      config->kind_name[k]));
    return CHL_OK;
}

chl_status chl_judge_random(const chl_judge_config *config, uint64_t seed, chl_params **out) {
    chl_params *params;
    CHL_TRY(chl_params_new("fresh judge", &params));
    const chl_status status = add_weights(config, seed, params);
    if (status == CHL_OK)
        *out = params;
    else
        chl_params_free(params);
    return status;
}

/* --- network ---------------------------------------------------------------------------------- */

void chl_judge(chl_net *net, const chl_judge_config *config, chl_tensor x,
               chl_judge_statistics *statistics, chl_tensor logits[CHL_JUDGE_QUESTIONS]) {
    chl_graph *g = net->graph;
    int in = 3;
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
    x = chl_mean_pool(g, x);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        const char *name = chl_judge_question_name(q);
        const chl_tensor w =
            chl_weight_shaped(net, chl_f32(2, config->classes[q], in), "%s.weight", name);
        const chl_tensor b =
            chl_weight_shaped(net, chl_f32(1, config->classes[q]), "%s.bias", name);
        logits[q] = chl_linear(g, x, w, b);
    }
}

/* --- looking ---------------------------------------------------------------------------------- */

#define LOOK_BATCH 16

typedef struct looker {
    chl_graph *graph;
    chl_tensor x, logits[CHL_JUDGE_QUESTIONS];
    float *batch; /* [LOOK_BATCH][side][side][3] */
} looker;

static void answer(const float *logits, int classes, int *best, float *probability) {
    double total = 0;
    *best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[*best]) *best = c;
    for (int c = 0; c < classes; c++) total += exp((double)logits[c] - logits[*best]);
    for (int c = 0; c < classes; c++)
        probability[c] = (float)(exp((double)logits[c] - logits[*best]) / total);
}

/* The places of a batch that no picture fills keep what was there. */
static chl_status look_at_batch(looker *l, const chl_judge_config *config, int count,
                                const float *pixels, chl_judge_seen *seen) {
    const int64_t values = (int64_t)config->side * config->side * 3;
    for (int64_t i = 0; i < count * values; i++) l->batch[i] = fmaxf(-1, fminf(1, pixels[i]));
    CHL_TRY(chl_write(l->graph, l->x, l->batch));
    CHL_TRY(chl_run(l->graph, CHL_FIRST_SEGMENT));
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        float logits[LOOK_BATCH * CHL_JUDGE_CLASSES];
        CHL_TRY(chl_read(l->graph, l->logits[q], logits));
        for (int i = 0; i < count; i++)
            answer(logits + i * config->classes[q], config->classes[q], &seen[i].best[q],
                   seen[i].probability[q]);
    }
    return CHL_OK;
}

chl_status chl_judge_look(chl_device *device, chl_params *params, const chl_judge_config *config,
                          int64_t n, const float *pixels, chl_judge_seen *seen) {
    const int side = config->side;
    const int64_t values = (int64_t)side * side * 3;
    looker l = {.batch = calloc((size_t)(LOOK_BATCH * values), sizeof(float))};
    chl_net net = {.params = params, .kind = CHL_FROZEN};
    chl_status status;
    if (!l.batch) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for the judge's pictures"));
    CHL_TRY_GOTO(chl_graph_new(device, &l.graph));
    net.graph = l.graph;
    l.x = chl_input(l.graph, "picture", chl_f32(4, LOOK_BATCH, side, side, 3));
    chl_judge(&net, config, l.x, NULL, l.logits);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) chl_keep(l.graph, l.logits[q]);
    CHL_TRY_GOTO(chl_compile(l.graph));
    memset(seen, 0, (size_t)n * sizeof *seen);
    for (int64_t at = 0; at < n; at += LOOK_BATCH)
        CHL_TRY_GOTO(look_at_batch(&l, config, (int)(n - at < LOOK_BATCH ? n - at : LOOK_BATCH),
                                   pixels + at * values, seen + at));
done:
    chl_net_done(&net);
    chl_graph_free(l.graph);
    free(l.batch);
    return status;
}
