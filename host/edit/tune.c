/* A generator's weights tuned to one picture at a fixed code [Roich et al. 2022, Pivotal Tuning]: an
 * inversion leaves what the generator cannot say; after tuning it can, and the codes around the pivot
 * still mean what they meant. */
#include "base/clock.h"
#include "base/options.h"
#include "edit/optimise.h"
#include "losses/losses.h"
#include "models/engine.h"
#include <chladni/edit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct tuning {
    chl_graph *graph;
    chl_segment step;
    chl_net generator, clip;
    chl_tensor picture, w; /* inputs */
    chl_tensor pixel, seen;
} tuning;

void chl_tune_options_init(const chl_engine *engine, size_t size, chl_tune_options *options) {
    (void)engine;
    const chl_tune_options defaults = {
        .steps = 100, .rate = 0.0003f, .pixel_weight = 1, .clip_weight = 0.1f};
    chl_options_give(options, size, &defaults, sizeof defaults);
}

/* --- the step --------------------------------------------------------------------------------- */
static void update_weights(tuning *t, chl_tensor loss) {
    chl_graph *g = t->graph;
    const int count = (int)chl_net_count(&t->generator);
    chl_tensor *x = calloc((size_t)count * 2 + 1, sizeof *x);
    int trained = 0;
    if (!x) {
        chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for the gradients of %d weights", count);
        return;
    }
    chl_tensor *gradient = x + count;
    for (int i = 0; i < count; i++)
        if (chl_is_trainable(g, chl_net_at(&t->generator, i)))
            x[trained++] = chl_net_at(&t->generator, i);
    chl_grad_reached(g, loss, trained, x, gradient);
    const chl_adam_settings adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .rate_scale = 1};
    for (int i = 0; i < trained && chl_graph_status(g) == CHL_OK; i++)
        if (gradient[i] != CHL_NONE) chl_adam(g, x[i], gradient[i], &adam);
    free(x);
}

static chl_status build(chl_engine *engine, const chl_tune_options *options, tuning *t) {
    *t = (tuning){0};
    CHL_TRY(chl_models_graph(engine, &t->graph));
    chl_graph *g = t->graph;
    const int side = engine->generator->sizes.picture;
    t->generator = chl_model_net(&engine->generator->model, g);
    t->generator.kind = CHL_TRAINABLE;
    if (engine->clip) t->clip = chl_model_net(&engine->clip->model, g);
    t->picture = chl_input(g, "picture", chl_f32(4, 1, side, side, 3));
    t->w = chl_input(g, "w", chl_generator_codes(engine->generator, 1));
    const chl_tensor target =
        engine->clip ? chl_keep(g, chl_clip_embed_nodes(engine->clip, &t->clip, t->picture))
                     : CHL_NONE;
    t->step = chl_begin_segment(g);
    const chl_tensor made = chl_generator_synthesize(engine->generator, &t->generator, t->w);
    const float weights[] = {options->pixel_weight, options->clip_weight};
    chl_tensor terms[2];
    terms[0] = t->pixel = chl_keep(g, chl_pixel_loss(g, made, t->picture, CHL_PIXEL_L2));
    if (engine->clip) {
        const chl_tensor view = chl_clip_embed_nodes(engine->clip, &t->clip, made);
        terms[1] = t->seen = chl_keep(g, chl_cosine_loss(g, view, target));
    }
    update_weights(t, chl_sum(g, 0, engine->clip ? 2 : 1, weights, terms));
    return chl_graph_status(g);
}

static void release(tuning *t) {
    chl_net_done(&t->generator);
    chl_net_done(&t->clip);
    chl_graph_free(t->graph);
}

/* --- the loop --------------------------------------------------------------------------------- */
static chl_status report(const tuning *t, const chl_tune_options *options, int index, double start,
                         const float *w) {
    float pixel, seen = 0;
    CHL_TRY(chl_read(t->graph, t->pixel, &pixel));
    if (t->seen != CHL_NONE) CHL_TRY(chl_read(t->graph, t->seen, &seen));
    if (!isfinite(pixel) || !isfinite(seen))
        return chl_fail(CHL_ERR_NUMERIC, "step %d: a loss is not finite: set rate lower",
                        index + 1);
    if (!options->progress) return CHL_OK;
    const double seconds = chl_seconds_now() - start;
    const chl_edit_progress progress = {.step = index + 1,
                                        .steps = options->steps,
                                        .latent_loss = pixel,
                                        .similarity_loss = seen,
                                        .cosine = 1 - seen,
                                        .seconds = seconds,
                                        .seconds_left =
                                            seconds / (index + 1) * (options->steps - index - 1),
                                        .w = w};
    if (options->progress(options->user, &progress))
        return chl_fail(CHL_ERR_CANCELLED, "stopped after step %d of %d", index + 1,
                        options->steps);
    return CHL_OK;
}

static chl_status run_steps(const tuning *t, const chl_tune_options *options, const float *pixels,
                            const float *w) {
    CHL_TRY(chl_compile(t->graph));
    CHL_TRY(chl_write(t->graph, t->picture, pixels));
    CHL_TRY(chl_write(t->graph, t->w, w));
    CHL_TRY(chl_run(t->graph, CHL_FIRST_SEGMENT));
    const double start = chl_seconds_now();
    for (int i = 0; i < options->steps; i++) {
        CHL_TRY(chl_set_step(t->graph, (chl_step){.index = i, .rate = options->rate}));
        CHL_TRY(chl_run(t->graph, t->step));
        CHL_TRY(report(t, options, i, start, w));
    }
    return CHL_OK;
}

/* --- the weights ------------------------------------------------------------------------------ */
typedef struct weights {
    int count;
    const char **name;
    void **data;
} weights;

static void free_weights(weights *read) {
    for (int i = 0; i < read->count; i++) free(read->data[i]);
    free(read->name);
    free(read->data);
}

static chl_status read_one(const tuning *t, chl_tensor x, weights *read) {
    const int64_t numbers = chl_count(chl_desc_of(t->graph, x));
    const size_t bytes = ((size_t)chl_bytes(chl_desc_of(t->graph, x)) + 63) & ~(size_t)63;
    float *data = aligned_alloc(64, bytes);
    if (!data) return chl_fail(CHL_ERR_MEMORY, "out of memory for tuned weights");
    read->name[read->count] = chl_name_of(t->graph, x);
    read->data[read->count++] = data;
    CHL_TRY(chl_read(t->graph, x, data));
    for (int64_t i = 0; i < numbers; i++)
        if (!isfinite(data[i]))
            return chl_fail(CHL_ERR_NUMERIC, "a tuned weight is not finite: set rate lower");
    return CHL_OK;
}

static chl_status read_weights(const tuning *t, weights *read) {
    const int64_t count = chl_net_count(&t->generator);
    read->name = calloc((size_t)count + 1, sizeof *read->name);
    read->data = calloc((size_t)count + 1, sizeof *read->data);
    if (!read->name || !read->data)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for tuned weights");
    for (int64_t i = 0; i < count; i++) {
        const chl_tensor x = chl_net_at(&t->generator, i);
        if (chl_is_trainable(t->graph, x)) CHL_TRY(read_one(t, x, read));
    }
    return CHL_OK;
}

static chl_status take_weights(chl_generator *generator, weights *read) {
    for (int i = 0; i < read->count; i++) {
        CHL_TRY(chl_generator_replace(generator, read->name[i], read->data[i]));
        read->data[i] = NULL;
    }
    return CHL_OK;
}

static chl_status tune(chl_engine *engine, const chl_tune_options *options, const float *pixels,
                       const float *w) {
    tuning t;
    weights read = {0};
    chl_status status = build(engine, options, &t);
    if (status == CHL_OK) status = run_steps(&t, options, pixels, w);
    if (status == CHL_OK || status == CHL_ERR_CANCELLED) {
        chl_status taken = read_weights(&t, &read);
        if (taken == CHL_OK) taken = take_weights(engine->generator, &read);
        if (taken != CHL_OK) status = taken;
    }
    free_weights(&read);
    release(&t);
    return status;
}

/* --- public ----------------------------------------------------------------------------------- */
static chl_status take_options(const chl_engine *engine, const chl_tune_options *theirs,
                               chl_tune_options *mine) {
    *mine = chl_tune_defaults(engine);
    CHL_TRY(chl_need(engine->generator, "generator", "tuning"));
    CHL_TRY(chl_options_take(mine, sizeof *mine, theirs, "chl_tune_options"));
    CHL_TRY(chl_check_int(mine->steps >= 0, "steps of the tuning", ">= 0", mine->steps));
    CHL_TRY(chl_check_float(mine->rate > 0 && isfinite(mine->rate), "rate of the tuning", "> 0",
                            (double)mine->rate));
    CHL_TRY(chl_check_float(mine->pixel_weight >= 0 && isfinite(mine->pixel_weight), "pixel_weight",
                            ">= 0", (double)mine->pixel_weight));
    return chl_check_float(mine->clip_weight >= 0 && isfinite(mine->clip_weight), "clip_weight",
                           ">= 0", (double)mine->clip_weight);
}

chl_status chl_tune(chl_engine *engine, const chl_tune_options *theirs, const float *pixels,
                    const float *w) {
    CHL_NEEDS(engine, pixels, w);
    chl_tune_options mine;
    CHL_TRY(take_options(engine, theirs, &mine));
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    CHL_FINITE(pixels, 3 * (int64_t)sizes->picture * sizes->picture);
    CHL_FINITE(w, (int64_t)sizes->rows * sizes->latent);
    if (mine.steps == 0) return CHL_OK;
    const chl_log_sink before = chl_log_divert(engine->log);
    return chl_log_restore(before, tune(engine, &mine, pixels, w));
}

chl_status chl_untune(chl_engine *engine) {
    CHL_NEEDS(engine);
    CHL_TRY(chl_need(engine->generator, "generator", "undoing a tuning"));
    chl_generator_restore(engine->generator);
    return CHL_OK;
}

chl_status chl_write_generator(const chl_engine *engine, const char *path) {
    CHL_NEEDS(engine, path);
    CHL_TRY(chl_need(engine->generator, "generator", "writing a generator"));
    return chl_generator_write(engine->generator, path);
}

chl_status chl_tune_cost(chl_engine *engine, const chl_tune_options *theirs, chl_cost *cost) {
    CHL_NEEDS(engine, cost);
    chl_tune_options mine;
    tuning t;
    CHL_TRY(take_options(engine, theirs, &mine));
    *cost = (chl_cost){0};
    chl_status status = build(engine, &mine, &t);
    if (status == CHL_OK) status = chl_cost_of(t.graph, cost);
    release(&t);
    return status;
}
