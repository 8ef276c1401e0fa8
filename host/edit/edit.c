/* Direct W+ optimisation, Eq. 14. */
#include "edit/engine.h"
#include "edit/optimise.h"
#include "objective/objective.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Segment 0 looks at the source once; segment 1 is one step. */
typedef struct edit_graph {
    chl_graph *graph;
    chl_net generator, clip, face;
    chl_tensor source, target, neutral;              /* inputs */
    chl_tensor w, mask;                              /* trainable; mask may be CHL_NONE */
    chl_tensor source_view, source_identity;         /* of segment 0; may be CHL_NONE */
    chl_tensor similarity, latent, identity, cosine; /* [1] each; identity may be CHL_NONE */
} edit_graph;

static bool uses_source_view(const chl_edit_options *options) {
    return options->similarity != CHL_COSINE;
}

static void build_source(const chl_engine *engine, const chl_edit_options *options, edit_graph *e) {
    chl_graph *g = e->graph;
    e->source_view = e->source_identity = CHL_NONE;
    if (uses_source_view(options) || engine->face) {
        chl_tensor picture =
            chl_stylegan2_synthesize(&e->generator, &engine->generator_config, e->source);
        if (uses_source_view(options))
            e->source_view = chl_keep(g, chl_engine_see(engine, &e->clip, picture));
        if (engine->face)
            e->source_identity = chl_keep(g, chl_engine_identify(engine, &e->face, picture));
    }
    chl_segment(g);
}

static chl_tensor similarity_loss(const chl_edit_options *options, edit_graph *e, chl_tensor view) {
    switch (options->similarity) {
    case CHL_HINGE:
        return chl_hinge_loss(e->graph, view, e->target, e->source_view, options->margin);
    case CHL_DIRECTIONAL:
        return chl_directional_loss(e->graph, view, e->target, e->source_view, e->neutral);
    default:
        return chl_cosine_loss(e->graph, view, e->target);
    }
}

static void build_step(const chl_engine *engine, const chl_edit_options *options, edit_graph *e) {
    chl_graph *g = e->graph;
    chl_tensor picture = chl_stylegan2_synthesize(&e->generator, &engine->generator_config, e->w);
    chl_tensor view = chl_engine_see(engine, &e->clip, picture);
    chl_tensor terms[3];
    const float weights[] = {1, options->lambda_similarity, options->lambda_identity};
    e->cosine = chl_keep(g, chl_row_dot(g, view, e->target));
    terms[0] = e->similarity = chl_keep(g, similarity_loss(options, e, view));
    terms[1] = e->latent = chl_keep(g, chl_latent_distance(g, e->w, e->source, e->mask));
    e->identity = CHL_NONE;
    if (engine->face)
        terms[2] = e->identity =
            chl_keep(g, chl_cosine_loss(g, chl_engine_identify(engine, &e->face, picture),
                                        e->source_identity));
    chl_tensor loss = chl_sum(g, 0, engine->face ? 3 : 2, weights, terms);
    const chl_tensor trained[] = {e->w, e->mask};
    chl_tensor gradient[2];
    const int count = e->mask == CHL_NONE ? 1 : 2;
    chl_grad(g, loss, count, trained, gradient);
    const chl_adam_settings adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1};
    for (int i = 0; i < count; i++) chl_adam(g, trained[i], gradient[i], &adam);
}

static chl_status build(chl_engine *engine, const chl_edit_options *options, edit_graph *e) {
    *e = (edit_graph){0};
    CHL_TRY(chl_graph_new(engine->backend, &e->graph));
    chl_graph *g = e->graph;
    const int rows = engine->generator_config.rows, d = engine->clip_config.embed;
    e->generator = chl_engine_net(g, engine->generator);
    e->clip = chl_engine_net(g, engine->clip);
    e->face = chl_engine_net(g, engine->face);
    e->source = chl_input(g, "source", chl_engine_latent(engine, 1));
    e->target = chl_input(g, "target", chl_f32(2, 1, d));
    e->neutral = chl_input(g, "neutral", chl_f32(2, 1, d));
    e->w = chl_param(g, "w", chl_engine_latent(engine, 1), NULL, CHL_TRAINABLE);
    /* zeros: softmax starts equal */
    e->mask = options->adaptive_mask
                  ? chl_param(g, "layer mask", chl_f32(2, 1, rows), NULL, CHL_TRAINABLE)
                  : CHL_NONE;
    build_source(engine, options, e);
    build_step(engine, options, e);
    return chl_graph_status(g);
}

static void release(edit_graph *e) {
    chl_net_done(&e->generator);
    chl_net_done(&e->clip);
    chl_net_done(&e->face);
    chl_graph_free(e->graph);
}

chl_edit_options chl_edit_defaults(const chl_engine *engine) {
    const bool face = engine && engine->face;
    return (chl_edit_options){.size = sizeof(chl_edit_options),
                              .steps = 300,
                              .rate = face ? 0.05f : 0.1f,
                              .lambda_similarity = face ? 0.008f : 0.002f,
                              .lambda_identity = face ? 0.005f : 0,
                              .similarity = CHL_COSINE,
                              .margin = 1,
                              .adaptive_mask = 1};
}

static chl_status check(const chl_engine *engine, const chl_edit_options *options) {
    CHL_TRY(chl_engine_need(engine->generator, "--generator", "an edit"));
    CHL_TRY(chl_engine_need(engine->clip && engine->clip_config.image.layers ? engine : NULL,
                            "--clip with an image tower", "an edit"));
    if (options->size != sizeof *options)
        return chl_fail(CHL_ERR_ARGUMENT, "chl_edit_options.size is %u, not sizeof", options->size);
    if (options->steps < 1)
        return chl_fail(CHL_ERR_ARGUMENT, "%d steps: at least one is needed", options->steps);
    if (!(options->rate > 0) || !isfinite(options->rate))
        return chl_fail(CHL_ERR_ARGUMENT, "learning rate %g: must be positive", options->rate);
    if (options->similarity == CHL_DIRECTIONAL && !options->neutral)
        return chl_fail(CHL_ERR_ARGUMENT, "the directional loss needs a neutral embedding");
    if (options->lambda_identity > 0 && !engine->face)
        return chl_fail(CHL_ERR_ARGUMENT, "the identity loss needs --face");
    return CHL_OK;
}

static void describe(chl_edit_progress *progress, const float *values) {
    progress->similarity_loss = values[0];
    progress->latent_loss = values[1];
    progress->identity_loss = values[2];
    progress->cosine = values[3];
}

static chl_status start(edit_graph *e, const chl_edit_options *options, const float *source,
                        const float *target) {
    CHL_TRY(chl_compile(e->graph));
    CHL_TRY(chl_write(e->graph, e->source, source));
    CHL_TRY(chl_write(e->graph, e->w, source));
    CHL_TRY(chl_write(e->graph, e->target, target));
    if (options->neutral) CHL_TRY(chl_write(e->graph, e->neutral, options->neutral));
    return chl_run(e->graph, 0);
}

static chl_status read_mask(edit_graph *e, int rows, float *mask) {
    for (int i = 0; i < rows; i++) mask[i] = 0;
    if (e->mask != CHL_NONE) CHL_TRY(chl_read(e->graph, e->mask, mask));
    float most = mask[0];
    double total = 0;
    for (int i = 1; i < rows; i++) most = fmaxf(most, mask[i]);
    for (int i = 0; i < rows; i++) total += mask[i] = expf(mask[i] - most);
    for (int i = 0; i < rows; i++) mask[i] = (float)(mask[i] / total);
    return CHL_OK;
}

chl_status chl_edit(chl_engine *engine, const chl_edit_options *options, const float *source,
                    const float *target, float *edited, float *mask) {
    CHL_TRY(check(engine, options));
    const int rows = engine->generator_config.rows;
    const int64_t numbers = (int64_t)rows * engine->generator_config.w_dim;
    edit_graph e;
    chl_status status = build(engine, options, &e);
    if (status == CHL_OK) status = start(&e, options, source, target);
    if (status == CHL_OK) {
        memcpy(edited, source, sizeof(float) * (size_t)numbers);
        const chl_optimisation optimisation = {
            .graph = e.graph,
            .segment = 1,
            .w = e.w,
            .numbers = numbers,
            .steps = options->steps,
            .rate = options->rate,
            .seed = options->seed,
            .reported = {e.similarity, e.latent, e.identity, e.cosine},
            .describe = describe,
            .progress = options->progress,
            .user = options->user};
        status = chl_optimise(&optimisation, edited);
        if (mask && (status == CHL_OK || status == CHL_ERR_CANCELLED)) {
            chl_status read = read_mask(&e, rows, mask);
            if (status == CHL_OK) status = read;
        }
    }
    release(&e);
    return status;
}

chl_status chl_edit_cost(chl_engine *engine, const chl_edit_options *options, chl_cost *cost) {
    CHL_TRY(check(engine, options));
    edit_graph e;
    chl_plan plan = {0};
    chl_status status = build(engine, options, &e);
    if (status == CHL_OK) status = chl_dry_run(e.graph, &plan);
    *cost = (chl_cost){.weight_bytes = plan.constant,
                       .activation_bytes = plan.transient,
                       .state_bytes = plan.persistent,
                       .flops_setup = plan.flops_once,
                       .flops_step = plan.flops_step,
                       .nodes = plan.nodes};
    release(&e);
    return status;
}
