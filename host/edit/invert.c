/* A picture's W+ code by an encoder, by optimisation, or by both: pixel L2 + CLIP distance, starting from
 * the encoder's code or the mean latent, with a pull towards the mean [Abdal et al. 2019; Tov et al. 2021
 * on why codes far from W edit badly]. */
#include "base/options.h"
#include "edit/optimise.h"
#include "losses/losses.h"
#include "models/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct inversion {
    chl_graph *graph;
    chl_segment step;
    chl_net generator, clip;
    chl_tensor picture, mean, target; /* inputs; target is made by the first segment */
    chl_tensor w, pixel, seen, cosine;
} inversion;

void chl_invert_options_init(const chl_engine *engine, size_t size, chl_invert_options *options) {
    const bool encoded = engine && engine->encoder;
    const chl_invert_options defaults = {.steps = encoded ? 0 : 300,
                                         .rate = 0.05f,
                                         .pixel_weight = 1,
                                         .clip_weight = 0.1f,
                                         .mean_weight = 0.0005f};
    chl_options_give(options, size, &defaults, sizeof defaults);
}

static chl_status build(chl_engine *engine, const chl_invert_options *options, inversion *v) {
    *v = (inversion){0};
    CHL_TRY(chl_models_graph(engine, &v->graph));
    chl_graph *g = v->graph;
    const int side = engine->generator->sizes.picture;
    v->generator = chl_model_net(&engine->generator->model, g);
    if (engine->clip) v->clip = chl_model_net(&engine->clip->model, g);
    v->picture = chl_input(g, "picture", chl_f32(4, 1, side, side, 3));
    v->mean = chl_input(g, "mean latent", chl_generator_codes(engine->generator, 1));
    v->w = chl_param(g, "w", chl_generator_codes(engine->generator, 1), NULL, CHL_TRAINABLE);
    chl_tensor target = engine->clip
                            ? chl_keep(g, chl_clip_embed_nodes(engine->clip, &v->clip, v->picture))
                            : CHL_NONE;
    v->step = chl_begin_segment(g);

    chl_tensor made = chl_generator_synthesize(engine->generator, &v->generator, v->w);
    chl_tensor terms[3];
    const float weights[] = {options->pixel_weight, options->mean_weight, options->clip_weight};
    terms[0] = v->pixel = chl_keep(g, chl_pixel_loss(g, made, v->picture, CHL_PIXEL_L2));
    terms[1] = chl_latent_distance(g, v->w, v->mean, CHL_NONE);
    if (engine->clip) {
        chl_tensor view = chl_clip_embed_nodes(engine->clip, &v->clip, made);
        terms[2] = v->seen = chl_keep(g, chl_cosine_loss(g, view, target));
    }
    chl_tensor loss = chl_sum(g, 0, engine->clip ? 3 : 2, weights, terms), gradient;
    chl_grad(g, loss, 1, &v->w, &gradient);
    const chl_adam_settings adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1};
    chl_adam(g, v->w, gradient, &adam);
    return chl_graph_status(g);
}

static void describe(chl_edit_progress *progress, const float *values) {
    progress->latent_loss = values[0];
    progress->similarity_loss = values[1];
    progress->cosine = 1 - values[1];
}

/* The mean of W, a row for each of a code. */
static chl_status mean_code(chl_generator *generator, float *w) {
    const int64_t d = generator->sizes.latent, numbers = generator->sizes.rows * d;
    CHL_TRY(chl_generator_average(generator));
    for (int64_t i = 0; i < numbers; i++)
        w[i] = generator->average[i % (generator->average_rows * d)];
    return CHL_OK;
}

/* first: the code that the optimisation begins with; NULL: the mean, which is in w */
static chl_status start(inversion *v, const float *pixels, const float *first, float *w) {
    CHL_TRY(chl_compile(v->graph));
    CHL_TRY(chl_write(v->graph, v->picture, pixels));
    CHL_TRY(chl_write(v->graph, v->mean, w));
    CHL_TRY(chl_write(v->graph, v->w, first ? first : w));
    return chl_run(v->graph, CHL_FIRST_SEGMENT);
}

static void release(inversion *v) {
    chl_net_done(&v->generator);
    chl_net_done(&v->clip);
    chl_graph_free(v->graph);
}

static chl_status optimise(chl_engine *engine, const chl_invert_options *options,
                           const float *pixels, const float *first, float *w) {
    chl_generator *generator = engine->generator;
    const int64_t numbers = (int64_t)generator->sizes.rows * generator->sizes.latent;
    CHL_TRY(mean_code(generator, w));
    inversion v;
    chl_status status = build(engine, options, &v);
    if (status == CHL_OK) status = start(&v, pixels, first, w);
    if (status == CHL_OK) {
        const chl_optimisation optimisation = {.graph = v.graph,
                                               .segment = v.step,
                                               .w = v.w,
                                               .numbers = numbers,
                                               .samples = 1,
                                               .steps = options->steps,
                                               .rate = options->rate,
                                               .reported = {v.pixel, v.seen},
                                               .describe = describe,
                                               .progress = options->progress,
                                               .user = options->user};
        status = chl_optimise(&optimisation, w);
    }
    release(&v);
    return status;
}

static chl_status invert(chl_engine *engine, const chl_invert_options *options, const float *pixels,
                         float *w) {
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    if (!engine->encoder) return optimise(engine, options, pixels, NULL, w);
    CHL_TRY(chl_style_encoder_code(engine->encoder, sizes->picture, pixels, sizes->rows, w));
    if (options->steps == 0) return CHL_OK;
    const size_t bytes = sizeof(float) * (size_t)sizes->rows * (size_t)sizes->latent;
    float *first = malloc(bytes);
    if (!first) return chl_fail(CHL_ERR_MEMORY, "out of memory for a code");
    memcpy(first, w, bytes);
    const chl_status status = optimise(engine, options, pixels, first, w);
    free(first);
    return status;
}

static chl_status take_options(const chl_engine *engine, const chl_invert_options *theirs,
                               chl_invert_options *mine) {
    *mine = chl_invert_defaults(engine);
    CHL_TRY(chl_need(engine->generator, "generator", "inverting a picture"));
    CHL_TRY(chl_options_take(mine, sizeof *mine, theirs, "chl_invert_options"));
    const int fewest = engine->encoder ? 0 : 1;
    CHL_TRY(chl_check_int(mine->steps >= fewest, "steps of the inversion", fewest ? ">= 1" : ">= 0",
                          mine->steps));
    return chl_check_float(mine->rate > 0 && isfinite(mine->rate), "rate of the inversion", "> 0",
                           (double)mine->rate);
}

chl_status chl_invert(chl_engine *engine, const chl_invert_options *theirs, const float *pixels,
                      float *w) {
    CHL_NEEDS(engine, pixels, w);
    chl_invert_options mine;
    CHL_TRY(take_options(engine, theirs, &mine));
    const int64_t side = engine->generator->sizes.picture;
    CHL_FINITE(pixels, 3 * side * side);
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, invert(engine, &mine, pixels, w));
}

chl_status chl_invert_cost(chl_engine *engine, const chl_invert_options *theirs, chl_cost *cost) {
    CHL_NEEDS(engine, cost);
    chl_invert_options mine;
    chl_plan plan = {0};
    *cost = (chl_cost){0};
    CHL_TRY(take_options(engine, theirs, &mine));
    if (mine.steps > 0) {
        inversion v;
        chl_status status = build(engine, &mine, &v);
        if (status == CHL_OK) status = chl_cost_of(v.graph, cost);
        release(&v);
        CHL_TRY(status);
    }
    if (!engine->encoder) return CHL_OK;
    CHL_TRY(chl_style_encoder_plan(engine->encoder, engine->generator->sizes.picture, &plan));
    cost->weight_bytes += plan.constant;
    cost->activation_bytes += plan.transient;
    cost->state_bytes += plan.persistent;
    cost->flops_setup += plan.flops_constant + plan.flops_step;
    cost->nodes += plan.nodes;
    return CHL_OK;
}
