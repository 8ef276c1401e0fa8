/* StyleGAN2's synthesis forward, or forward and the gradient of <picture, cotangent> to w. */
#include "bench.h"

static chl_status build(const bench_options *options, bench_job *job) {
    chl_graph *g = job->graph;
    chl_stylegan2_config config;
    chl_net net;
    CHL_TRY(bench_stylegan2(job, options->size, &config, &net));
    const int n = options->batch, size = options->size;
    chl_desc latent = chl_f32(3, n, config.rows, config.w_dim);
    chl_tensor w = bench_input(job, "w", latent, BENCH_UNIT);
    bench_part(job, "synthesis");
    chl_tensor picture = chl_stylegan2_synthesize(&net, &config, w);
    bench_output(job, "picture", picture);
    if (!options->forward_only) {
        const chl_desc row = chl_f32(2, 1, n * size * size * 3);
        chl_tensor cotangent =
                       bench_input(job, "cotangent", chl_f32(4, n, size, size, 3), BENCH_UNIT),
                   dw;
        bench_part(job, "loss");
        chl_tensor loss =
            chl_row_dot(g, chl_reshape(g, picture, row), chl_reshape(g, cotangent, row));
        chl_grad(g, loss, 1, &w, &dw);
        bench_output(job, "dw", dw);
    }
    chl_net_done(&net);
    return chl_graph_status(g);
}

const bench_workload bench_workload_stylegan2 = {
    "stylegan2", "synthesis, channel base 32768, forward and backward to w", build};
