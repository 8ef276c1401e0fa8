/* Several updates in one step (trainer.h): each is a segment of the graph, which steps.c runs where the
 * phase is due. */
#include "train/gradient_norm.h"
#include "train/trainer_private.h"
#include <stdlib.h>
#include <string.h>

#define ADAM_EPS 1e-8f

/* --- which weights ---------------------------------------------------------------------------- */
static bool is_tracked(const chl_trainer *t, chl_tensor x) {
    for (int i = 0; i < t->inside->tracked_count; i++)
        if (t->inside->tracked[i] == x) return true;
    return false;
}

static bool is_trained(const chl_trainer *t, chl_tensor x) {
    const chl_graph *g = t->graph;
    return chl_is_trainable(g, x) && chl_name_of(g, x) && chl_desc_of(g, x)->dtype == CHL_F32 &&
           !is_tracked(t, x);
}

/* Of a net whose first phase this is: its weights so far, and their moments. */
static chl_status list_weights(chl_trainer *t, const chl_net *net, chl_phase_group *group) {
    const int64_t most = chl_net_count(net);
    group->net = net;
    group->x = calloc((size_t)most + 1, sizeof *group->x);
    group->gradient = calloc((size_t)most + 1, sizeof *group->gradient);
    group->moments = calloc((size_t)most + 1, sizeof *group->moments);
    if (!group->x || !group->gradient || !group->moments)
        return chl_fail(CHL_ERR_MEMORY, "training %s: out of memory for a list of weights",
                        t->training->name);
    for (int64_t i = 0; i < most; i++) {
        const chl_tensor x = chl_net_at(net, i);
        if (is_trained(t, x)) group->x[group->count++] = x;
    }
    for (int i = 0; i < group->count; i++)
        group->moments[i] = chl_adam_moments(t->graph, group->x[i]);
    return CHL_OK;
}

static chl_status find_group(chl_trainer *t, const chl_net *net, int *out) {
    struct chl_trainer_private *p = t->inside;
    for (*out = 0; *out < p->groups; ++*out)
        if (p->group[*out].net == net) return CHL_OK;
    if (p->groups == CHL_TRAINER_PHASES)
        return chl_fail(CHL_ERR_UNSUPPORTED, "training %s: at most %d networks may train",
                        t->training->name, CHL_TRAINER_PHASES);
    return list_weights(t, net, &p->group[p->groups++]);
}

int chl_phase_weights(const chl_trainer *t, const chl_net *net, const chl_tensor **x) {
    const struct chl_trainer_private *p = t->inside;
    for (int i = 0; i < p->groups; i++)
        if (p->group[i].net == net) {
            *x = p->group[i].x;
            return p->group[i].count;
        }
    return 0;
}

/* --- building --------------------------------------------------------------------------------- */
static chl_tensor sum_of_parts(chl_trainer *t, int first) {
    const struct chl_trainer_private *p = t->inside;
    chl_tensor part[CHL_TRAINER_TERMS];
    float weight[CHL_TRAINER_TERMS];
    int count = 0;
    for (int i = first; i < p->terms; i++) {
        if (p->term[i].weight == 0) continue;
        weight[count] = p->term[i].weight;
        part[count++] = p->term[i].part;
    }
    if (count > 0) return chl_sum(t->graph, 0, count, weight, part);
    return chl_graph_fail(t->graph, CHL_ERR_ARGUMENT, "training %s: a phase has no loss",
                          t->training->name);
}

/* A weight that the terms do not depend on is updated with a gradient of 0: as upstream, which counts one
 * update for all weights of a network. */
static chl_tensor gradient_of(const chl_trainer *t, const chl_phase_group *group, int i) {
    if (group->gradient[i] != CHL_NONE || chl_graph_status(t->graph) != CHL_OK)
        return group->gradient[i];
    return chl_filled(t->graph, *chl_desc_of(t->graph, group->x[i]), 0);
}

static void update(chl_trainer *t, chl_trained_phase *phase, int first_term) {
    const chl_phase *s = &phase->settings;
    chl_phase_group *group = &t->inside->group[phase->group];
    const chl_tensor loss = sum_of_parts(t, first_term);
    if (loss == CHL_NONE) return;
    chl_grad_in_segment(t->graph, loss, group->count, group->x, group->gradient);
    for (int i = 0; i < group->count; i++)
        group->gradient[i] = chl_all_reduce_beside(t->graph, group->gradient[i]);
    const chl_tensor square = chl_gradient_square(t->graph, group->count, group->gradient);
    for (int i = group->count - 1; i >= 0 && chl_graph_status(t->graph) == CHL_OK; i--)
        chl_adam_with(t->graph, group->x[i], group->moments[i], gradient_of(t, group, i),
                      &(chl_adam_settings){.beta1 = s->beta1,
                                           .beta2 = s->beta2,
                                           .eps = ADAM_EPS,
                                           .rate_scale = s->rate_scale});
    if (square != CHL_NONE)
        phase->square = chl_keep(t->graph, square);
    else
        chl_graph_fail(t->graph, CHL_ERR_ARGUMENT, "training %s: nothing trainable is in the loss",
                       t->training->name);
}

void chl_trainer_phase(chl_trainer *t, const chl_phase *phase) {
    struct chl_trainer_private *p = t->inside;
    if (chl_graph_status(t->graph) != CHL_OK) return;
    if (p->phases == CHL_TRAINER_PHASES) {
        chl_graph_fail(t->graph, CHL_ERR_UNSUPPORTED, "training %s: at most %d phases",
                       t->training->name, CHL_TRAINER_PHASES);
        return;
    }
    chl_trained_phase *own = &p->phase[p->phases];
    const int first_term = p->phases > 0 ? p->phase[p->phases - 1].terms_end : 0;
    *own = (chl_trained_phase){.settings = *phase, .square = CHL_NONE};
    own->group = -1;
    if (phase->net) {
        const chl_status status = find_group(t, phase->net, &own->group);
        if (status != CHL_OK) {
            chl_graph_fail(t->graph, status, "%s", chl_error());
            return;
        }
        update(t, own, first_term);
    }
    own->terms_end = p->terms;
    p->phases++;
    own->segment = p->last_segment;
    p->last_segment = chl_begin_segment(t->graph);
}

/* The sum of the losses and the length of the gradients are of the phases that are part of every
 * step. */
chl_status chl_phases_finish(chl_trainer *t) {
    struct chl_trainer_private *p = t->inside;
    float weight[CHL_TRAINER_TERMS], one[CHL_TRAINER_PHASES];
    chl_tensor value[CHL_TRAINER_TERMS], square[CHL_TRAINER_PHASES];
    int terms = 0, squares = 0;
    CHL_TRY(chl_graph_status(t->graph));
    for (int i = 0; i < p->phases; i++) {
        if (p->phase[i].settings.interval > 1 || p->phase[i].group < 0) continue;
        for (int k = i > 0 ? p->phase[i - 1].terms_end : 0; k < p->phase[i].terms_end; k++) {
            if (p->term[k].weight == 0) continue;
            weight[terms] = p->term[k].weight;
            value[terms++] = p->term[k].value;
        }
        one[squares] = 1;
        square[squares++] = p->phase[i].square;
    }
    p->loss = chl_keep(t->graph, chl_sum(t->graph, 0, terms, weight, value));
    p->gradient_square = chl_keep(t->graph, chl_sum(t->graph, 0, squares, one, square));
    return chl_graph_status(t->graph);
}

/* --- running ---------------------------------------------------------------------------------- */
static bool is_due(const chl_trained_phase *phase, int64_t index) {
    return index % phase->settings.interval == 0;
}

bool chl_term_is_due(const chl_trainer *t, int term, int64_t index) {
    const struct chl_trainer_private *p = t->inside;
    int i = 0;
    while (i < p->phases && term >= p->phase[i].terms_end) i++;
    return i == p->phases || is_due(&p->phase[i], index);
}

/* Updates of the phase's weights before this one: Adam counts them. */
static int64_t updates_before(const struct chl_trainer_private *p, int phase, int64_t index) {
    int64_t count = 0;
    for (int i = 0; i < p->phases; i++) {
        const chl_trained_phase *other = &p->phase[i];
        if (other->group != p->phase[phase].group) continue;
        const int64_t every = other->settings.interval;
        count += (index + every - 1) / every; /* in steps before this one */
        count += i < phase && is_due(other, index);
    }
    return count;
}

chl_status chl_phases_run(const chl_trainer *t, chl_step step) {
    const struct chl_trainer_private *p = t->inside;
    for (int i = 0; i < p->phases; i++) {
        chl_step own = step;
        own.index = updates_before(p, i, step.index);
        if (!is_due(&p->phase[i], step.index)) continue;
        CHL_TRY(chl_set_step(t->graph, own));
        CHL_TRY(chl_run(t->graph, p->phase[i].segment));
    }
    CHL_TRY(chl_set_step(t->graph, step));
    return chl_run(t->graph, p->last_segment);
}

void chl_phases_release(struct chl_trainer_private *p) {
    for (int i = 0; i < p->groups; i++) {
        free(p->group[i].x);
        free(p->group[i].gradient);
        free(p->group[i].moments);
    }
}
