/* Direct W+ optimisation, Eq. 14: n edits in one graph, each from one beginning. */
#include "base/options.h"
#include "edit/edit_private.h"
#include "edit/optimise.h"
#include "losses/losses.h"
#include "models/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The first segment looks at the sources once; `step` is one step of n edits; where that does not
 * train the codes themselves, `decode` makes them from what it trained. */
typedef struct edit_graph {
    chl_graph *graph;
    chl_segment step, decode; /* decode may be none */
    int n;
    const chl_code_statistics *codes; /* NULL when neither scale nor space ask for them */
    chl_net generator, clip, face;
    chl_tensor source, target, neutral; /* inputs */
    chl_tensor pace;  /* input: L_reg's share of its weight, or its weights; may be CHL_NONE */
    chl_tensor scale; /* input: [n], of each edit's whole loss; may be CHL_NONE */
    chl_tensor outside, pressure; /* inputs: weights of pixels, [n] of L_out; may be CHL_NONE */
    chl_tensor noise;         /* input: added to the codes that a step looks at; may be CHL_NONE */
    chl_tensor moving, held;  /* inputs: 1 for numbers that may move, codes; may be CHL_NONE */
    chl_tensor trained, mask; /* w, u or d; mask may be CHL_NONE */
    chl_tensor root, origin;  /* of whitened space: C^(1/2), zeros like u */
    chl_tensor result;        /* w after a step */
    chl_tensor source_view, source_identity, source_outside; /* of the first segment, likewise */
    chl_tensor similarity, latent, identity, cosine; /* [n] each; identity may be CHL_NONE */
    chl_tensor loss;                                 /* [n], before `scale` */
} edit_graph;

/* NULL, or [n]: an edit's own weight of L_reg. */
static const float *latent_weights(const chl_edit_many_more *more) {
    return more && !more->of_region ? more->weight : NULL;
}

/* L_reg has a weight per edit, or one that rises. */
static bool is_paced(const chl_edit_options *options, const chl_edit_many_more *more) {
    return options->latent_weight_rise > 0 || latent_weights(more);
}

static bool uses_source_view(const chl_edit_options *options) {
    return options->similarity != CHL_COSINE;
}

static void build_source(const chl_engine *engine, const chl_edit_options *options, edit_graph *e) {
    chl_graph *g = e->graph;
    if (uses_source_view(options) || engine->face || options->region) {
        chl_tensor picture = chl_generator_synthesize(engine->generator, &e->generator, e->source);
        if (uses_source_view(options))
            e->source_view = chl_keep(g, chl_clip_embed_nodes(engine->clip, &e->clip, picture));
        if (engine->face)
            e->source_identity = chl_keep(g, chl_face_embed_nodes(engine->face, &e->face, picture));
        if (options->region) e->source_outside = chl_keep(g, chl_mul(g, picture, e->outside));
    }
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

/* w = w_s + C^(1/2) u. The root is symmetric: which axes u has does not depend on the order or sign
 * of eigenvectors, and Adam, which scales each axis by itself, sees gradients in which directions
 * of little variance hardly count. */
static chl_tensor unwhiten(const edit_graph *e) {
    return chl_add(e->graph, e->source, chl_linear(e->graph, e->trained, e->root, CHL_NONE));
}

/* w = w_s + d on every row that may move: a column of one pixel made taller */
static chl_tensor spread(const edit_graph *e) {
    const chl_desc codes = *chl_desc_of(e->graph, e->source); /* a new tensor may move the old */
    const int rows = (int)codes.dim[1], width = (int)codes.dim[2];
    chl_tensor d = chl_reshape(e->graph, e->trained, chl_f32(4, e->n, 1, 1, width));
    d = chl_reshape(e->graph, chl_resize(e->graph, d, CHL_FILTER_NEAREST, rows, 1), codes);
    if (e->moving == CHL_NONE) return chl_add(e->graph, e->source, d);
    return chl_add(e->graph, e->held, chl_mul(e->graph, d, e->moving));
}

static chl_tensor decode(const chl_edit_options *options, const edit_graph *e) {
    switch (options->space) {
    case CHL_SPACE_WHITENED:
        return unwhiten(e);
    case CHL_SPACE_SHARED:
        return spread(e);
    default:
        return e->trained;
    }
}

/* L_reg. Counted in w, whitening would change the path but not the minimum: it is counted in u. */
static chl_tensor latent_loss(const chl_edit_options *options, const edit_graph *e, chl_tensor w) {
    const bool whitened = options->space == CHL_SPACE_WHITENED;
    chl_tensor distance = chl_latent_distance(e->graph, whitened ? e->trained : w,
                                              whitened ? e->origin : e->source, e->mask);
    if (options->latent_scale == 0) return distance;
    const double usual = whitened ? e->codes->rank : e->codes->variance;
    return chl_scale(e->graph, distance, (float)(options->latent_scale / usual));
}

/* The edits' losses depend on their own codes only: the sum's gradient is each one's. */
static chl_tensor add_up(edit_graph *e, int terms, const float *weights, const chl_tensor *term) {
    chl_tensor each = e->loss = chl_keep(e->graph, chl_sum(e->graph, 0, terms, weights, term));
    if (e->scale != CHL_NONE) each = chl_mul(e->graph, each, e->scale);
    return e->n == 1 ? each : chl_scale(e->graph, chl_mean(e->graph, each), (float)e->n);
}

/* L_out, [n] */
static chl_tensor outside_loss(const edit_graph *e, chl_tensor picture) {
    return chl_pixel_loss(e->graph, chl_mul(e->graph, picture, e->outside), e->source_outside,
                          CHL_PIXEL_L1);
}

static void add_updates(const chl_edit_options *options, const edit_graph *e, chl_tensor loss) {
    chl_graph *g = e->graph;
    const chl_tensor trained[] = {e->trained, e->mask};
    chl_tensor gradient[2];
    const int count = e->mask == CHL_NONE ? 1 : 2;
    chl_grad(g, loss, count, trained, gradient);
    chl_adam_settings adam = {
        .beta1 = 0.9f, .beta2 = 0.999f, .eps = options->adam_eps, .rate_scale = 1};
    if (e->moving != CHL_NONE && options->space != CHL_SPACE_SHARED)
        gradient[0] =
            chl_mul(g, gradient[0], e->moving); /* Adam leaves what has none where it is */
    for (int i = 0; i < count; i++) {
        if (i) adam.rate_scale = options->mask_rate;
        chl_adam(g, trained[i], gradient[i], &adam);
    }
}

static void build_step(const chl_engine *engine, const chl_edit_options *options,
                       float latent_weight, edit_graph *e) {
    chl_graph *g = e->graph;
    chl_tensor w = decode(options, e);
    chl_tensor looked_at = e->noise == CHL_NONE ? w : chl_add(g, w, e->noise);
    chl_tensor picture = chl_generator_synthesize(engine->generator, &e->generator, looked_at);
    chl_tensor view = chl_clip_embed_nodes(engine->clip, &e->clip, picture);
    chl_tensor terms[4];
    float weights[4] = {1, latent_weight};
    int count = 2;
    e->cosine = chl_keep(g, chl_row_dot(g, view, e->target));
    terms[0] = e->similarity = chl_keep(g, similarity_loss(options, e, view));
    terms[1] = e->latent = chl_keep(g, latent_loss(options, e, w));
    if (e->pace != CHL_NONE) terms[1] = chl_mul(g, e->latent, e->pace);
    if (engine->face) {
        terms[count] = e->identity =
            chl_keep(g, chl_cosine_loss(g, chl_face_embed_nodes(engine->face, &e->face, picture),
                                        e->source_identity));
        weights[count++] = options->identity_weight;
    }
    if (options->region) {
        terms[count] = chl_mul(g, outside_loss(e, picture), e->pressure);
        weights[count++] = 1;
    }
    chl_tensor loss = add_up(e, count, weights, terms);
    add_updates(options, e, loss);
}

static void build_trained(const chl_edit_options *options, edit_graph *e, chl_desc latent) {
    chl_graph *g = e->graph;
    const int width = (int)latent.dim[2];
    if (options->space == CHL_SPACE_SHARED) {
        e->trained = chl_param(g, "d", chl_f32(2, e->n, width), NULL, CHL_TRAINABLE);
    } else if (options->space == CHL_SPACE_WHITENED) {
        e->trained = chl_param(g, "u", latent, NULL, CHL_TRAINABLE);
        e->origin = chl_param(g, "origin", latent, NULL, CHL_FROZEN);
        e->root = chl_param(g, "root of the covariance of W", chl_f32(2, width, width),
                            e->codes->root, CHL_FROZEN);
    } else {
        e->trained = chl_param(g, "w", latent, NULL, CHL_TRAINABLE);
    }
}

static chl_status build(chl_engine *engine, const chl_edit_options *options,
                        const chl_edit_many_more *more, int n, edit_graph *e) {
    *e = (edit_graph){.n = n};
    if (options->latent_scale > 0) CHL_TRY(chl_generator_statistics(engine->generator, &e->codes));
    if (options->space == CHL_SPACE_WHITENED || options->code_noise > 0)
        CHL_TRY(chl_generator_whitening(engine->generator, &e->codes));
    CHL_TRY(chl_models_graph(engine, &e->graph));
    chl_graph *g = e->graph;
    const int rows = engine->generator->sizes.rows, d = engine->clip->config.embed;
    const chl_desc latent = chl_generator_codes(engine->generator, n);
    e->generator = chl_model_net(&engine->generator->model, g);
    e->clip = chl_model_net(&engine->clip->model, g);
    if (engine->face) e->face = chl_model_net(&engine->face->model, g);
    e->source = chl_input(g, "source", latent);
    e->target = chl_input(g, "target", chl_f32(2, n, d));
    e->pace = is_paced(options, more) ? chl_input(g, "pace", chl_f32(1, n)) : CHL_NONE;
    e->scale = more && more->weight ? chl_input(g, "scale", chl_f32(1, n)) : CHL_NONE;
    if (options->region) {
        const int side = engine->generator->sizes.picture;
        e->outside = chl_input(g, "outside", chl_f32(4, n, side, side, 3));
        e->pressure = chl_input(g, "pressure", chl_f32(1, n));
    }
    e->noise = options->code_noise > 0 ? chl_input(g, "noise", latent) : CHL_NONE;
    e->moving = options->rows ? chl_input(g, "moving", latent) : CHL_NONE;
    e->held = options->rows ? chl_input(g, "held", latent) : CHL_NONE;
    e->neutral = chl_input(g, "neutral", chl_f32(2, n, d));
    build_trained(options, e, latent);
    /* zeros: softmax starts equal */
    e->mask = options->adaptive_mask
                  ? chl_param(g, "layer mask", chl_f32(2, n, rows), NULL, CHL_TRAINABLE)
                  : CHL_NONE;
    build_source(engine, options, e);
    e->step = chl_begin_segment(g);
    build_step(engine, options, latent_weights(more) ? 1 : options->latent_weight, e);
    e->result = e->trained;
    if (options->space != CHL_SPACE_W) {
        e->decode = chl_begin_segment(g);
        e->result = chl_keep(g, decode(options, e));
    }
    return chl_graph_status(g);
}

static void release(edit_graph *e) {
    chl_net_done(&e->generator);
    chl_net_done(&e->clip);
    chl_net_done(&e->face);
    chl_graph_free(e->graph);
}

static void describe(chl_edit_progress *progress, const float *values) {
    progress->similarity_loss = values[0];
    progress->latent_loss = values[1];
    progress->identity_loss = values[2];
    progress->cosine = values[3];
}

/* one row for all edits */
static chl_status write_neutral(edit_graph *e, const float *neutral, int d) {
    float *rows = malloc(sizeof(float) * (size_t)e->n * (size_t)d);
    if (!rows) return chl_fail(CHL_ERR_MEMORY, "out of memory for an embedding");
    for (int i = 0; i < e->n * d; i++) rows[i] = neutral[i % d];
    chl_status status = chl_write(e->graph, e->neutral, rows);
    free(rows);
    return status;
}

/* An edit of a weight above the options' own takes a loss that is smaller by as much, so that L_reg's
 * pull stays that for which the rate was chosen: with an adam_eps above the gradients' size steps are
 * proportional to it, and a stronger pull overshoots. The minimum is the same. */
static chl_status write_scale(edit_graph *e, float usual, const float *weight) {
    float *scale = malloc(sizeof *scale * (size_t)e->n);
    if (!scale) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", e->n);
    for (int i = 0; i < e->n; i++) scale[i] = weight[i] > usual ? usual / weight[i] : 1;
    const chl_status status = chl_write(e->graph, e->scale, scale);
    free(scale);
    return status;
}

static chl_status write_region(edit_graph *e, const chl_edit_options *options,
                               const chl_edit_many_more *more) {
    const int side = (int)chl_desc_of(e->graph, e->outside)->dim[1];
    const size_t count = 3 * (size_t)side * (size_t)side;
    float *outside = malloc(sizeof *outside * (size_t)e->n * count);
    float *pressure = malloc(sizeof *pressure * (size_t)e->n);
    chl_status status = outside && pressure
                            ? CHL_OK
                            : chl_fail(CHL_ERR_MEMORY, "out of memory for %d regions", e->n);
    for (int i = 0; status == CHL_OK && i < e->n; i++) {
        chl_region_weights(options->region, side, outside + (size_t)i * count);
        pressure[i] = more && more->of_region ? more->weight[i] : (float)options->region_weight;
    }
    if (status == CHL_OK) status = chl_write(e->graph, e->outside, outside);
    if (status == CHL_OK) status = chl_write(e->graph, e->pressure, pressure);
    free(outside);
    free(pressure);
    return status;
}

/* Rows that may not move have no share of the layer mask, whose softmax would else leave all of L_reg
 * to them, who do not move: -100 is e^-100, nothing. */
static chl_status write_rows(edit_graph *e, const chl_edit_options *options, const float *source,
                             const float *held) {
    const chl_desc *codes = chl_desc_of(e->graph, e->source);
    const int64_t rows = codes->dim[1], latent = codes->dim[2], each = rows * latent;
    float *moving = malloc(sizeof *moving * (size_t)(3 * e->n * each));
    if (!moving) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d codes", e->n);
    float *base = moving + e->n * each, *share = base + e->n * each;
    for (int64_t i = 0; i < e->n * each; i++) {
        const bool moves = options->rows[i % each / latent];
        moving[i] = moves ? 1 : 0;
        base[i] = moves ? source[i] : held[i];
    }
    for (int64_t i = 0; i < e->n * rows; i++) share[i] = options->rows[i % rows] ? 0 : -100;
    chl_status status = chl_write(e->graph, e->moving, moving);
    if (status == CHL_OK) status = chl_write(e->graph, e->held, base);
    if (status == CHL_OK && e->mask != CHL_NONE) status = chl_write(e->graph, e->mask, share);
    free(moving);
    return status;
}

static chl_status start(edit_graph *e, const chl_edit_options *options,
                        const chl_edit_many_more *more, int embed, const float *source,
                        const float *target) {
    CHL_TRY(chl_compile(e->graph));
    CHL_TRY(chl_write(e->graph, e->source, source));
    if (options->space == CHL_SPACE_W) CHL_TRY(chl_write(e->graph, e->trained, source));
    if (more && more->from) CHL_TRY(chl_write(e->graph, e->trained, more->from));
    if (more && more->weight)
        CHL_TRY(
            write_scale(e, more->of_region ? (float)options->region_weight : options->latent_weight,
                        more->weight));
    if (options->region) CHL_TRY(write_region(e, options, more));
    if (options->rows)
        CHL_TRY(write_rows(e, options, source, more && more->held ? more->held : source));
    CHL_TRY(chl_write(e->graph, e->target, target));
    if (options->neutral) CHL_TRY(write_neutral(e, options->neutral, embed));
    return chl_run(e->graph, CHL_FIRST_SEGMENT);
}

/* softmax; zeros for the mask of a code that broke down */
static void soften(int rows, bool broken, float *mask) {
    float most = mask[0];
    double total = 0;
    for (int i = 0; i < rows; i++) broken = broken || !isfinite(mask[i]);
    if (broken) {
        for (int i = 0; i < rows; i++) mask[i] = 0;
        return;
    }
    for (int i = 1; i < rows; i++) most = fmaxf(most, mask[i]);
    for (int i = 0; i < rows; i++) total += mask[i] = expf(mask[i] - most);
    for (int i = 0; i < rows; i++) mask[i] = (float)(mask[i] / total);
}

static chl_status read_mask(edit_graph *e, int rows, const bool *broken, float *mask) {
    for (int i = 0; i < e->n * rows; i++) mask[i] = 0;
    if (e->mask != CHL_NONE) CHL_TRY(chl_read(e->graph, e->mask, mask));
    for (int i = 0; i < e->n; i++) soften(rows, broken[i], mask + (size_t)i * (size_t)rows);
    return CHL_OK;
}

static chl_status read_loss(const edit_graph *e, const bool *broken, float *loss) {
    CHL_TRY(chl_read(e->graph, e->loss, loss));
    for (int i = 0; i < e->n; i++)
        if (broken[i]) loss[i] = INFINITY;
    return CHL_OK;
}

static chl_code_noise noise_of(const edit_graph *e, const chl_edit_options *options,
                               const chl_engine *engine) {
    const chl_generator_sizes *sizes = &engine->generator->sizes;
    return (chl_code_noise){.options = options,
                            .root = e->codes ? e->codes->root : NULL,
                            .n = e->n,
                            .rows = sizes->rows,
                            .latent = sizes->latent,
                            .graph = e->graph,
                            .input = e->noise};
}

chl_status chl_edit_once(chl_engine *engine, const chl_edit_options *options,
                         const chl_edit_many_more *more, int n, const float *source,
                         const float *target, float *edited, float *mask) {
    const int rows = engine->generator->sizes.rows;
    const int64_t numbers = (int64_t)n * rows * engine->generator->sizes.latent;
    edit_graph e = {0};
    bool *broken = calloc((size_t)n, sizeof *broken);
    chl_status status = broken ? build(engine, options, more, n, &e)
                               : chl_fail(CHL_ERR_MEMORY, "out of memory for %d edits", n);
    if (status == CHL_OK)
        status = start(&e, options, more, engine->clip->config.embed, source, target);
    if (status == CHL_OK) {
        memcpy(edited, source, sizeof(float) * (size_t)numbers);
        chl_code_noise noise = noise_of(&e, options, engine);
        const chl_optimisation optimisation = {
            .graph = e.graph,
            .segment = e.step,
            .paced = e.pace,
            .rise = options->latent_weight_rise,
            .paced_by = latent_weights(more),
            .before = e.noise == CHL_NONE ? NULL : chl_code_noise_write,
            .owner = &noise,
            .decode = e.decode,
            .w = e.result,
            .numbers = numbers,
            .samples = n,
            .steps = options->steps,
            .rate = options->rate,
            .seed = options->seed,
            .reported = {e.similarity, e.latent, e.identity, e.cosine},
            .describe = describe,
            .broken = broken,
            .progress = options->progress,
            .user = options->user};
        status = chl_optimise(&optimisation, edited);
        const bool reached =
            status == CHL_OK || status == CHL_ERR_CANCELLED || status == CHL_ERR_NUMERIC;
        if (more && more->to && reached) {
            const chl_status read = chl_read(e.graph, e.trained, more->to);
            if (status == CHL_OK) status = read;
        }
        if (more && more->loss && reached) {
            const chl_status read = read_loss(&e, broken, more->loss);
            if (status == CHL_OK) status = read;
        }
        if (mask && reached) {
            const chl_status read = read_mask(&e, rows, broken, mask);
            if (status == CHL_OK) status = read;
        }
    }
    release(&e);
    free(broken);
    return status;
}

chl_status chl_edit_once_cost(chl_engine *engine, const chl_edit_options *options, int n,
                              chl_cost *cost) {
    edit_graph e;
    chl_status status = build(engine, options, NULL, n, &e);
    if (status == CHL_OK) status = chl_cost_of(e.graph, cost);
    release(&e);
    return status;
}
