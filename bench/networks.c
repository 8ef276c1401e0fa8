#include "bench.h"
#include "harness/formula.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *suffix) {
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && !strcmp(text + n - m, suffix);
}

/* The formula's array, but for StyleGAN2, whose run-time scales want unit variance and styles near
 * one. */
static void fill(const chl_array *array) {
    const char *name = array->name;
    double centre = 0, amplitude = 0;
    if (!strncmp(name, "synthesis.", 10)) {
        if (ends_with(name, "affine.bias")) {
            centre = 1;
            amplitude = 0.2;
        } else if (ends_with(name, "affine.weight") || ends_with(name, "noise_const")) {
            amplitude = BENCH_UNIT;
        } else if (ends_with(name, "torgb.weight")) {
            amplitude = 0.25;
        }
    }
    if (amplitude > 0)
        formula_fill(name, centre, amplitude, chl_count(&array->desc), array->data);
    else
        formula_weight(name, &array->desc, array->data);
}

chl_status bench_import(bench_job *job, chl_params *params) {
    if (job->nets == BENCH_MAX_NETS) return chl_fail(CHL_ERR_INTERNAL, "BENCH_MAX_NETS is too low");
    job->params[job->nets++] = params;
    if (job->shapes_only) return CHL_OK;
    for (int64_t i = 0; i < params->count; i++) fill(&params->array[i]);
    return CHL_OK;
}

/* Registers memory to be written to the tensor before the first run; NULL on failure. */
static bench_array *new_input(bench_job *job, const char *name, chl_desc desc) {
    float *data = malloc((size_t)chl_bytes(&desc));
    if (!data || job->inputs == BENCH_MAX_ARRAYS) {
        free(data);
        chl_graph_fail(job->graph, CHL_ERR_MEMORY, "no room for the input \"%s\"", name);
        return NULL;
    }
    bench_array *input = &job->input[job->inputs++];
    input->data = data;
    snprintf(input->name, sizeof input->name, "%s", name);
    return input;
}

/* How many of an array's numbers are computed. */
static int64_t numbers(const bench_job *job, const chl_desc *desc) {
    return job->shapes_only ? 0 : chl_count(desc);
}

chl_tensor bench_input(bench_job *job, const char *name, chl_desc desc, double amplitude) {
    bench_array *input = new_input(job, name, desc);
    if (!input) return CHL_NONE;
    formula_fill(name, 0, amplitude, numbers(job, &desc), input->data);
    return input->tensor = chl_input(job->graph, name, desc);
}

chl_tensor bench_start(bench_job *job, const char *name, chl_desc desc, const char *base,
                       double amplitude, const char *delta, double delta_amplitude) {
    bench_array *start = new_input(job, name, desc);
    if (!start) return CHL_NONE;
    const int64_t count = numbers(job, &desc);
    formula_fill(base, 0, amplitude, count, start->data);
    if (delta) {
        float *more = malloc((size_t)chl_bytes(&desc));
        if (!more) return chl_graph_fail(job->graph, CHL_ERR_MEMORY, "no room for \"%s\"", name);
        formula_fill(delta, 0, delta_amplitude, count, more);
        for (int64_t i = 0; i < count; i++) start->data[i] += more[i];
        free(more);
    }
    return start->tensor = chl_param(job->graph, name, desc, NULL, CHL_TRAINABLE);
}

void bench_output(bench_job *job, const char *name, chl_tensor tensor) {
    if (job->outputs == BENCH_MAX_ARRAYS) {
        chl_graph_fail(job->graph, CHL_ERR_INTERNAL, "BENCH_MAX_ARRAYS is too low");
        return;
    }
    bench_array *output = &job->output[job->outputs++];
    output->tensor = chl_keep(job->graph, tensor);
    snprintf(output->name, sizeof output->name, "%s", name);
}

void bench_part(bench_job *job, const char *name) {
    for (int i = 0; i < job->parts; i++)
        if (strcmp(job->part[i + 1], name) == 0) {
            chl_graph_part(job->graph, i + 1);
            return;
        }
    if (job->parts + 1 == BENCH_MAX_PARTS) {
        chl_graph_fail(job->graph, CHL_ERR_INTERNAL, "BENCH_MAX_PARTS is too low");
        return;
    }
    job->part[++job->parts] = name;
    chl_graph_part(job->graph, job->parts);
}

static chl_net frozen(const bench_job *job, chl_params *params) {
    return (chl_net){.graph = job->graph, .params = params, .kind = CHL_FROZEN};
}

chl_status bench_stylegan2(bench_job *job, int size, chl_stylegan2_config *config, chl_net *net) {
    const chl_stylegan2_shape shape = {.resolution = size,
                                       .channel_base = 32768,
                                       .channel_max = 512,
                                       .z_dim = 512,
                                       .w_dim = 512,
                                       .mapping_layers = 8};
    chl_params *params;
    CHL_TRY(chl_stylegan2_random(&shape, 0, &params));
    CHL_TRY(bench_import(job, params));
    CHL_TRY(chl_stylegan2_import(params, config));
    config->conv_clamp = 0;
    *net = frozen(job, params);
    return CHL_OK;
}

chl_status bench_clip(bench_job *job, chl_clip_config *config, chl_net *net) {
    *config = (chl_clip_config){.image = {.layers = 12, .width = 768, .heads = 12, .mlp = 3072},
                                .embed = 512,
                                .resolution = 224,
                                .patch = 32};
    chl_params *params;
    CHL_TRY(chl_clip_random(config, 0, &params));
    CHL_TRY(bench_import(job, params));
    *net = frozen(job, params);
    return CHL_OK;
}

chl_status bench_arcface(bench_job *job, chl_arcface_config *config, chl_net *net) {
    *config = chl_arcface_ir_se50();
    chl_params *params;
    CHL_TRY(chl_arcface_random(config, 0, &params));
    CHL_TRY(bench_import(job, params));
    *net = frozen(job, params);
    return CHL_OK;
}
