/* Swin-T with one channel: forward and the gradient of mean_n <embedding_n, target_n> to every
 * weight, and with `swin-train` Adam on all of them. Drop path is off, so that both frameworks compute
 * the same. */
#include "bench.h"
#include "nets/layers.h"
#include "nets/swin.h"
#include <stdlib.h>
#include <string.h>

#define RATE 1e-4f

static const char *const checked[] = {
    "patch_embed.proj.weight",
    "layers.0.blocks.1.attn.qkv.weight",
    "layers.0.blocks.1.attn.relative_position_bias_table",
    "layers.1.downsample.reduction.weight",
    "layers.3.blocks.1.mlp.fc1.weight",
    "norm.weight",
    "head.weight",
};

static void update(bench_job *job, int count, const chl_tensor *weight,
                   const chl_tensor *gradient) {
    const chl_adam_settings adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1};
    bench_part(job, "Adam");
    for (int i = 0; i < count; i++) chl_adam(job->graph, weight[i], gradient[i], &adam);
    job->rate = RATE;
}

/* Without `trains` all gradients are kept, as an optimiser in a later segment would need them. */
static chl_status differentiate(bench_job *job, chl_net *net, chl_tensor loss, bool trains) {
    const chl_params *params = net->params;
    const size_t bytes = (size_t)params->count * sizeof(chl_tensor);
    chl_tensor *weight = malloc(bytes), *gradient = malloc(bytes);
    const char **name = malloc((size_t)params->count * sizeof *name);
    int count = 0;
    for (int64_t i = 0; weight && gradient && name && i < params->count; i++) {
        if (!strncmp(params->array[i].name, "logit_scale", 11)) continue;
        name[count] = params->array[i].name;
        weight[count++] = chl_weight(net, "%s", params->array[i].name);
    }
    if (count) chl_grad(job->graph, loss, count, weight, gradient);
    if (trains) update(job, count, weight, gradient);
    for (int i = 0; i < count && !trains && chl_graph_status(job->graph) == CHL_OK; i++) {
        chl_keep(job->graph, gradient[i]);
        for (size_t k = 0; k < sizeof checked / sizeof checked[0]; k++)
            if (!strcmp(name[i], checked[k])) bench_output(job, checked[k], gradient[i]);
    }
    free(weight);
    free(gradient);
    free(name);
    return count ? chl_graph_status(job->graph)
                 : chl_fail(CHL_ERR_MEMORY, "out of memory for the list of weights");
}

static chl_status build_step(const bench_options *options, bench_job *job, bool trains) {
    chl_graph *g = job->graph;
    chl_swin_config config = chl_swin_tiny();
    chl_params *params;
    CHL_TRY(chl_swin_random(&config, 0, &params));
    CHL_TRY(bench_import(job, params));
    CHL_TRY(chl_swin_import(params, &config));
    chl_net net = {.graph = g, .params = params, .kind = CHL_TRAINABLE};
    const int n = options->batch, side = config.resolution;
    chl_tensor x = bench_input(job, "mel", chl_f32(4, n, side, side, 1), BENCH_UNIT);
    bench_part(job, "Swin-T");
    const chl_tensor embedding = chl_unit_rows(g, chl_swin(&net, &config, x));
    chl_tensor target = bench_input(job, "target", chl_f32(2, n, config.classes), BENCH_UNIT);
    bench_part(job, "loss");
    chl_tensor loss = chl_mean(g, chl_row_dot(g, embedding, target));
    bench_output(job, "loss", loss);
    chl_status status = differentiate(job, &net, loss, trains);
    chl_net_done(&net);
    return status;
}

static chl_status build(const bench_options *options, bench_job *job) {
    return build_step(options, job, false);
}
static chl_status build_training(const bench_options *options, bench_job *job) {
    return build_step(options, job, true);
}

const bench_workload bench_workload_swin_train = {
    "swin-train", "the same and Adam: a whole step of a training", build_training};
const bench_workload bench_workload_swin = {
    "swin", "Swin-T, one channel, 224 x 224: forward and all weight gradients", build};
