/* One step of the W+ optimisation (METHOD Eq. 14): synthesis, CLIP (and ArcFace), losses, gradient,
 * Adam on w and the layer mask. The parts that depend on the source picture or the sound only are
 * given, as in an edit, where they are computed once. */
#include "bench.h"
#include "losses/losses.h"
#include "nets/layers.h"

#define LAMBDA_SIMILARITY 0.008f
#define LAMBDA_IDENTITY 1.0f /* an edit takes 0.005, too little for its gradient to be checked */
#define RATE 0.1f
/* A code near its source, so that the regulariser does not drown the picture's gradient. */
#define DELTA 0.02

typedef struct step_nets {
    chl_net generator, clip, face;
    chl_stylegan2_config generator_config;
    chl_clip_config clip_config;
    chl_arcface_config face_config;
} step_nets;

static chl_status open_nets(const bench_options *options, bench_job *job, step_nets *nets) {
    *nets = (step_nets){0};
    CHL_TRY(bench_stylegan2(job, options->size, &nets->generator_config, &nets->generator));
    CHL_TRY(bench_clip(job, &nets->clip_config, &nets->clip));
    return options->face ? bench_arcface(job, &nets->face_config, &nets->face) : CHL_OK;
}

static chl_tensor unit_rows(bench_job *job, const char *name, int n, int width) {
    chl_tensor x = bench_input(job, name, chl_f32(2, n, width), BENCH_UNIT);
    return chl_unit_rows(job->graph, x);
}

static chl_tensor picture_loss(const bench_options *options, bench_job *job, step_nets *nets,
                               chl_tensor picture) {
    chl_graph *g = job->graph;
    const chl_clip_config *clip = &nets->clip_config;
    chl_clip_resize how = options->compatible ? CHL_CLIP_COMPATIBLE : CHL_CLIP_AREA;
    bench_part(job, "CLIP");
    chl_tensor view = chl_clip_image(&nets->clip, clip, chl_clip_preprocess(g, clip, picture, how));
    bench_part(job, "loss");
    chl_tensor loss =
        chl_cosine_loss(g, view, unit_rows(job, "audio", options->batch, clip->embed));
    if (!options->face) return loss;
    bench_part(job, "face");
    chl_tensor face =
        chl_arcface(&nets->face, &nets->face_config, chl_arcface_preprocess(g, picture));
    bench_part(job, "loss");
    chl_tensor terms[2] = {
        loss, chl_cosine_loss(g, face,
                              unit_rows(job, "identity", options->batch, nets->face_config.embed))};
    const float weights[2] = {1, LAMBDA_IDENTITY};
    return chl_sum(g, 0, 2, weights, terms);
}

static chl_status build(const bench_options *options, bench_job *job) {
    chl_graph *g = job->graph;
    step_nets nets;
    CHL_TRY(open_nets(options, job, &nets));
    const int n = options->batch, rows = nets.generator_config.rows;
    const chl_desc latent = chl_f32(3, n, rows, nets.generator_config.w_dim);
    chl_tensor source = bench_input(job, "source", latent, BENCH_UNIT);
    chl_tensor w = bench_start(job, "w", latent, "source", BENCH_UNIT, "delta", DELTA);
    chl_tensor mask = bench_start(job, "mask", chl_f32(2, n, rows), "mask", 0.1, NULL, 0);

    bench_part(job, "synthesis");
    chl_tensor picture = chl_stylegan2_synthesize(&nets.generator, &nets.generator_config, w);
    chl_tensor terms[2] = {picture_loss(options, job, &nets, picture),
                           chl_latent_distance(g, w, source, mask)};
    const float weights[2] = {1, LAMBDA_SIMILARITY};
    chl_tensor loss = chl_scale(g, chl_mean(g, chl_sum(g, 0, 2, weights, terms)), (float)n);
    chl_tensor trained[2] = {w, mask}, gradient[2];
    chl_grad(g, loss, 2, trained, gradient);
    bench_output(job, "loss", loss);
    bench_output(job, "picture", picture);
    bench_output(job, "dw", gradient[0]);
    bench_output(job, "dmask", gradient[1]);
    const chl_adam_settings adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1};
    bench_part(job, "Adam");
    for (int i = 0; i < 2; i++) chl_adam(g, trained[i], gradient[i], &adam);
    job->rate = RATE;
    chl_net_done(&nets.generator);
    chl_net_done(&nets.clip);
    chl_net_done(&nets.face);
    return chl_graph_status(g);
}

const bench_workload bench_workload_wplus = {
    "wplus", "one step of the W+ optimisation with CLIP, with ArcFace by --face", build};
