/* CLIP ViT-B/32's image tower, forward, from a prepared picture. */
#include "bench.h"

static chl_status build(const bench_options *options, bench_job *job) {
    chl_clip_config config;
    chl_net net;
    CHL_TRY(bench_clip(job, &config, &net));
    const int side = config.resolution;
    chl_tensor x =
        bench_input(job, "clip_picture", chl_f32(4, options->batch, side, side, 3), BENCH_UNIT);
    bench_part(job, "CLIP");
    bench_output(job, "embedding", chl_clip_image(&net, &config, x));
    chl_net_done(&net);
    return chl_graph_status(job->graph);
}

const bench_workload bench_workload_clip = {"clip", "CLIP ViT-B/32 image tower, forward", build};
