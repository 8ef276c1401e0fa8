/* From losses to updates: the functions that a training calls in its build, and the nodes that they
 * lead to. */
#include "base/options.h"
#include "io/weights.h"
#include "train/gradient_norm.h"
#include "train/trainer_private.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ADAM_EPS 1e-8f

/* --- functions for a training's build ----------------------------------------------------- */
static void out_of_memory(chl_trainer *t) {
    chl_graph_fail(t->graph, CHL_ERR_MEMORY, "training %s: out of memory", t->training->name);
}

/* A checkpoint has weights in the shapes in which networks use them, which may be flatter. */
static bool same_array(const chl_array *a, const chl_array *b, bool checkpoint) {
    if (!a || a->desc.dtype != CHL_F32 || b->desc.dtype != CHL_F32) return false;
    return checkpoint ? chl_count(&a->desc) == chl_count(&b->desc)
                      : chl_same_shape(&a->desc, &b->desc);
}

static chl_status begin_with(const chl_trainer *t, chl_params *params) {
    chl_params *start;
    int64_t taken = 0;
    CHL_TRY(chl_weights_read(t->options->start, &start));
    const bool checkpoint = chl_params_find(start, CHL_RUN) != NULL;
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *to = &params->array[i], *from = chl_params_find(start, to->name);
        if (!same_array(from, to, checkpoint)) continue;
        memcpy(to->data, from->data, (size_t)chl_bytes(&to->desc));
        taken++;
    }
    chl_params_free(start);
    if (taken == 0)
        return chl_fail(CHL_ERR_KEY, "start: %s has no array of a name and shape of %s",
                        t->options->start, t->training->name);
    chl_log(CHL_LOG_INFO, "%s: %lld of %lld arrays from %s", t->training->name, (long long)taken,
            (long long)params->count, t->options->start);
    return CHL_OK;
}

void *chl_trainer_memory(chl_trainer *t, int64_t count, size_t size) {
    struct chl_trainer_private *p = t->inside;
    void **grown = realloc(p->memory, ((size_t)p->memories + 1) * sizeof *grown);
    if (grown) p->memory = grown;
    void *memory = grown ? calloc((size_t)(count > 0 ? count : 1), size) : NULL;
    if (memory)
        p->memory[p->memories++] = memory;
    else
        p->memory_failed = true;
    return memory;
}

chl_status chl_trainer_memory_status(const chl_trainer *t) {
    if (!t->inside->memory_failed) return CHL_OK;
    return chl_fail(CHL_ERR_MEMORY, "training %s: out of memory for a batch of %d",
                    t->training->name, t->options->batch);
}

chl_net *chl_trainer_net(chl_trainer *t) {
    if (t->options->start) {
        const chl_status status = begin_with(t, t->params);
        if (status != CHL_OK) chl_graph_fail(t->graph, status, "%s", chl_error());
    }
    t->inside->net = (chl_net){.graph = t->graph, .params = t->params, .kind = CHL_TRAINABLE};
    return &t->inside->net;
}

static void add_term(chl_trainer *t, const char *name, float weight, chl_tensor term) {
    struct chl_trainer_private *p = t->inside;
    if (term == CHL_NONE || chl_graph_status(t->graph) != CHL_OK) return;
    if (p->terms == CHL_TRAINER_TERMS || chl_count(chl_desc_of(t->graph, term)) != 1) {
        chl_graph_fail(t->graph, CHL_ERR_SHAPE,
                       "loss \"%s\" must be one number, and losses at most %d", name,
                       CHL_TRAINER_TERMS);
        return;
    }
    const chl_tensor part = chl_ranks_part(t, chl_reshape(t->graph, term, chl_f32(1, 1)));
    const chl_tensor value = chl_keep(t->graph, chl_all_reduce(t->graph, part));
    p->term[p->terms] = (chl_loss_term){strdup(name), weight, value, part};
    if (!p->term[p->terms++].name) out_of_memory(t);
}

void chl_trainer_term(chl_trainer *t, const char *name, float weight, chl_tensor term) {
    if (weight != 0) add_term(t, name, weight, term);
}

void chl_trainer_watch(chl_trainer *t, const char *name, chl_tensor value) {
    add_term(t, name, 0, value);
}

float chl_trainer_value(const chl_trainer *t, const char *name, const float *value) {
    int i = 0;
    while (i + 1 < t->inside->terms && strcmp(t->inside->term[i].name, name) != 0) i++;
    return value[i];
}

void chl_trainer_rate(chl_trainer *t, const char *prefix, float scale) {
    struct chl_trainer_private *p = t->inside;
    chl_rate_scale *grown = realloc(p->rate, ((size_t)p->rates + 1) * sizeof *grown);
    if (grown) {
        p->rate = grown;
        grown[p->rates] = (chl_rate_scale){strdup(prefix), scale};
    }
    if (!grown || !grown[p->rates++].prefix) out_of_memory(t);
}

void chl_trainer_track(chl_trainer *t, chl_tensor state, chl_tensor x, float decay) {
    struct chl_trainer_private *p = t->inside;
    if (t->chunks > 1) { /* a chunk's statistics are not the batch's */
        chl_graph_fail(
            t->graph, CHL_ERR_UNSUPPORTED,
            "training %s: micro_batch must be 0, got %d: the network normalises with the "
            "statistics of the whole batch",
            t->training->name, t->chunk);
        return;
    }
    chl_tensor *grown = realloc(p->tracked, ((size_t)p->tracked_count + 1) * sizeof *grown);
    if (!grown) {
        out_of_memory(t);
        return;
    }
    p->tracked = grown;
    grown[p->tracked_count++] = state;
    x = chl_all_reduce(t->graph, chl_ranks_part(t, x));
    chl_ema(t->graph, state, x, decay, false);
}

/* --- trainable arrays of the graph ------------------------------------------------------------ */
static bool is_state(const chl_graph *g, chl_tensor x) {
    return chl_is_trainable(g, x) && chl_name_of(g, x); /* a reshape of one has no name */
}

static float rate_scale(const chl_trainer *t, const char *name) {
    float scale = 1;
    for (int i = 0; i < t->inside->rates; i++) {
        const chl_rate_scale *rate = &t->inside->rate[i];
        if (strncmp(name, rate->prefix, strlen(rate->prefix)) == 0) scale = rate->scale;
    }
    return scale;
}

/* Decay moves weights towards 0, which is right where 0 means "no influence": not for gains,
 * biases, positions and temperatures [as in the trainings of CLIP and Swin]. */
static bool decays(const char *name, const chl_desc *desc) {
    static const char *const exempt[] = {"logit_scale", "position", "pos_embed"};
    for (size_t i = 0; i < sizeof exempt / sizeof exempt[0]; i++)
        if (strstr(name, exempt[i])) return false;
    return desc->rank >= 2;
}

static bool optimised(const chl_trainer *t, chl_tensor x) {
    const chl_graph *g = t->graph;
    if (!is_state(g, x) || chl_desc_of(g, x)->dtype != CHL_F32) return false;
    for (int i = 0; i < t->inside->tracked_count; i++)
        if (t->inside->tracked[i] == x) return false;
    return rate_scale(t, chl_name_of(g, x)) != 0;
}

static int list_optimised(const chl_trainer *t, chl_tensor *list) {
    int count = 0;
    for (chl_tensor x = 0; x < chl_tensor_count(t->graph); x++)
        if (optimised(t, x)) list[count++] = x;
    return count;
}

/* --- gradients and updates -------------------------------------------------------------------- */
static chl_status sum_terms(chl_trainer *t) {
    struct chl_trainer_private *p = t->inside;
    float weight[CHL_TRAINER_TERMS];
    chl_tensor value[CHL_TRAINER_TERMS], part[CHL_TRAINER_TERMS];
    if (p->terms == 0)
        return chl_fail(CHL_ERR_ARGUMENT, "training %s: every loss has weight 0",
                        t->training->name);
    for (int i = 0; i < p->terms; i++) {
        weight[i] = p->term[i].weight;
        value[i] = p->term[i].value;
        part[i] = p->term[i].part;
    }
    p->loss = chl_keep(t->graph, chl_sum(t->graph, 0, p->terms, weight, value));
    p->loss_part =
        t->ranks > 1 ? chl_sum(t->graph, 0, p->terms, weight, part) : p->loss; /* one sum */
    return chl_graph_status(t->graph);
}

static void update(chl_trainer *t, chl_tensor x, chl_tensor gradient) {
    const chl_train_options *o = t->options;
    const char *name = chl_name_of(t->graph, x);
    const float own_decay = decays(name, chl_desc_of(t->graph, x)) ? o->decay : 0;
    if (chl_is_option(o->optimizer, "sgd"))
        chl_sgd(t->graph, x, gradient,
                &(chl_sgd_settings){.momentum = o->momentum,
                                    .decay = own_decay,
                                    .rate_scale = rate_scale(t, name)});
    else
        chl_adam(t->graph, x, gradient,
                 &(chl_adam_settings){.beta1 = o->beta1,
                                      .beta2 = o->beta2,
                                      .eps = ADAM_EPS,
                                      .decay = own_decay,
                                      .decoupled = true,
                                      .rate_scale = rate_scale(t, name)});
    if (o->average > 0) chl_average(t->graph, x, o->average);
}

static void minimise(chl_trainer *t, chl_tensor *x, chl_tensor *gradient) {
    const int count = list_optimised(t, x);
    int reached = 0;
    int64_t numbers = 0;
    chl_grad_reached(t->graph, t->inside->loss_part, chl_chunks_wanted(t, count, x), x, gradient);
    chl_chunks_backward(t, count, x, gradient);
    if (t->options->bucket > 0) chl_graph_bucket(t->graph, t->options->bucket);
    for (int i = 0; i < count; i++) gradient[i] = chl_all_reduce_beside(t->graph, gradient[i]);
    /* last layers first, as the backward pass makes them: these sums are done first */
    for (int i = count - 1; i >= 0 && chl_graph_status(t->graph) == CHL_OK; i--) {
        if (gradient[i] == CHL_NONE) continue;
        reached++;
        numbers += chl_count(chl_desc_of(t->graph, x[i]));
        update(t, x[i], gradient[i]);
    }
    const chl_tensor square = chl_gradient_square(t->graph, count, gradient);
    if (square != CHL_NONE) t->inside->gradient_square = chl_keep(t->graph, square);
    chl_run_folder_note(&t->inside->folder, CHL_LOG_INFO,
                        "%s: %d arrays train, %" PRId64 " numbers%s", t->training->name, reached,
                        numbers, reached < count ? "; others are out of the losses' reach" : "");
    if (reached == 0)
        chl_graph_fail(t->graph, CHL_ERR_ARGUMENT, "training %s: nothing trainable is in the loss",
                       t->training->name);
}

/* --- by name ---------------------------------------------------------------------------------- */
static int by_name(const void *a, const void *b) {
    return strcmp(((const chl_state *)a)->name, ((const chl_state *)b)->name);
}

static chl_state *find_state(const chl_trainer *t, const char *name) {
    const chl_state key = {.name = name};
    if (t->inside->states == 0) return NULL;
    return bsearch(&key, t->inside->state, (size_t)t->inside->states, sizeof key, by_name);
}

static chl_status list_states(chl_trainer *t) {
    struct chl_trainer_private *p = t->inside;
    const chl_graph *g = t->graph;
    p->state = calloc((size_t)chl_tensor_count(g) + 1, sizeof *p->state);
    if (!p->state) return chl_fail(CHL_ERR_MEMORY, "out of memory for a list of weights");
    for (chl_tensor x = 0; x < chl_tensor_count(g); x++)
        if (is_state(g, x)) p->state[p->states++] = (chl_state){chl_name_of(g, x), x, CHL_NONE};
    qsort(p->state, (size_t)p->states, sizeof *p->state, by_name);
    for (int64_t i = 0; i < p->states; i++) {
        if (i > 0 && strcmp(p->state[i].name, p->state[i - 1].name) == 0)
            return chl_fail(
                CHL_ERR_KEY,
                "training %s: names of trainable arrays must differ in a checkpoint, got "
                "\"%s\" twice",
                t->training->name, p->state[i].name);
        char average[512];
        if (snprintf(average, sizeof average, "%s.average", p->state[i].name) <
            (int)sizeof average) {
            const chl_state *found = find_state(t, average);
            if (found) p->state[i].average = found->tensor;
        }
    }
    return CHL_OK;
}

/* Every rank writes its wish to stop before a step and reads how many have one behind it, so that
 * all stop after the same step. */
static void count_wishes(chl_trainer *t) {
    if (t->ranks == 1) return;
    t->inside->wish = chl_input(t->graph, "wish to stop", chl_f32(1, 1));
    t->inside->wishes = chl_keep(t->graph, chl_all_reduce(t->graph, t->inside->wish));
}

/* A step that is one update. */
static chl_status finish_step(chl_trainer *t) {
    CHL_TRY(sum_terms(t));
    const size_t tensors = (size_t)chl_tensor_count(t->graph) + CHL_TRAINER_ROWS;
    chl_tensor *x = malloc(tensors * sizeof *x), *gradient = malloc(tensors * sizeof *gradient);
    if (x && gradient)
        minimise(t, x, gradient);
    else
        out_of_memory(t);
    free(x);
    free(gradient);
    return CHL_OK;
}

chl_status chl_trainer_compile(chl_trainer *t) {
    CHL_TRY(chl_graph_status(t->graph));
    count_wishes(t);
    CHL_TRY(t->inside->phases > 0 ? chl_phases_finish(t) : finish_step(t));
    if (t->device->queue) chl_graph_double_inputs(t->graph); /* steps.c */
    chl_plan plan;
    CHL_TRY(chl_dry_run(t->graph, &plan));
    chl_run_folder_note(&t->inside->folder, CHL_LOG_INFO,
                        "a step: %d nodes, %.2f GFLOP; %.0f MB of state, %.0f MB of constants, "
                        "%.0f MB of activations",
                        plan.nodes, 1e-9 * plan.flops_step, 1e-6 * (double)plan.persistent,
                        1e-6 * (double)plan.constant, 1e-6 * (double)plan.transient);
    CHL_TRY(chl_compile(t->graph));
    return list_states(t);
}

void chl_trainer_note(const chl_trainer *t, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    chl_run_folder_note(&t->inside->folder, CHL_LOG_INFO, "%s: %s", t->training->name, text);
}

chl_status chl_trainer_read(chl_trainer *t, const char *name, bool averaged, float *out) {
    const chl_state *state = find_state(t, name);
    if (!state)
        return chl_fail(CHL_ERR_KEY, "training %s: no trainable array is called \"%s\"",
                        t->training->name, name);
    const bool average = averaged && state->average != CHL_NONE;
    return chl_read(t->graph, average ? state->average : state->tensor, out);
}

chl_status chl_trainer_export(chl_trainer *t, const chl_params *params, chl_params *out) {
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *array = &params->array[i];
        const chl_state *state = find_state(t, array->name);
        void *data;
        CHL_TRY(chl_params_add(out, array->name, array->desc, &data));
        if (!state) {
            memcpy(data, array->data, (size_t)chl_bytes(&array->desc));
            continue;
        }
        if (chl_count(chl_desc_of(t->graph, state->tensor)) != chl_count(&array->desc))
            return chl_fail(CHL_ERR_INTERNAL, "\"%s\" changed its size while it trained",
                            array->name);
        CHL_TRY(chl_trainer_read(t, array->name, true, data));
    }
    return CHL_OK;
}

chl_status chl_trainer_save(chl_trainer *t, chl_params *out) {
    return chl_trainer_export(t, t->params, out);
}

void chl_trainer_release(chl_trainer *t) {
    struct chl_trainer_private *p = t->inside;
    chl_net_done(&p->net);
    chl_graph_free(t->graph);
    t->graph = NULL;
    /* what the graph used outlives it */
    if (t->own && t->training->release) t->training->release(t);
    chl_params_free(t->params);
    for (int i = 0; i < p->memories; i++) free(p->memory[i]);
    free(p->memory);
    t->own = NULL;
    for (int i = 0; i < p->terms; i++) free(p->term[i].name);
    for (int i = 0; i < p->rates; i++) free(p->rate[i].prefix);
    free(p->rate);
    chl_phases_release(p);
    free(p->tracked);
    free(p->state);
    json_decref(p->fingerprint);
    json_decref(p->texts);
    chl_checkpoint_forget(&p->from);
    chl_run_folder_close(&p->folder);
}
