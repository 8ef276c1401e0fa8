#include "edit/optimise.h"
#include "base/clock.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

float chl_rate_factor(int index, int steps) {
    /* the middle of the step: at its ends the schedule is 0 and a step would be wasted */
    const double t = (index + 0.5) / steps;
    const double fall = fmin(1, (1 - t) / 0.25), rise = fmin(1, t / 0.05);
    return (float)(rise * (0.5 - 0.5 * cos(fall * 3.14159265358979323846)));
}

/* --- samples that break down ------------------------------------------------------------------ */
/* A sample whose code or loss is not finite any more keeps its last finite code and leaves the
 * others alone: nothing but the weights is shared, so they go on. */
typedef struct run {
    const chl_optimisation *o;
    float *latest;   /* [samples][numbers each], or one number a sample */
    bool *broken;    /* [samples] */
    int left;        /* samples that are not broken */
    int step, first; /* of the first that broke */
} run;

static bool all_finite(const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static void check_sample(run *r, int index, int n, const float *values, int64_t count) {
    if (r->broken[n] || all_finite(values, count)) return;
    if (r->left-- == r->o->samples) {
        r->step = index;
        r->first = n;
    }
    r->broken[n] = true;
}

static chl_status explain(const run *r) {
    if (r->step == 0 && r->left == 0)
        return chl_fail(CHL_ERR_NUMERIC,
                        "step 1: not finite after the first step already: the source or the target "
                        "lies beyond what the models compute, their weights are damaged, or rate "
                        "must be far smaller");
    if (r->o->samples == 1)
        return chl_fail(CHL_ERR_NUMERIC, "step %d: a loss is not finite: set rate lower",
                        r->step + 1);
    return chl_fail(
        CHL_ERR_NUMERIC,
        "the loss of %d of %d codes is not finite, first that of code number %d in step %d: set "
        "rate lower",
        r->o->samples - r->left, r->o->samples, r->first + 1, r->step + 1);
}

/* --- a step ----------------------------------------------------------------------------------- */
/* The means over those that are not broken. */
static chl_status read_values(run *r, int index, float values[CHL_MAX_REPORTED]) {
    const chl_optimisation *o = r->o;
    for (int i = 0; i < CHL_MAX_REPORTED; i++) {
        double total = 0;
        values[i] = 0;
        if (o->reported[i] == CHL_NONE) continue;
        CHL_TRY(chl_read(o->graph, o->reported[i], r->latest));
        for (int n = 0; n < o->samples; n++) {
            check_sample(r, index, n, r->latest + n, 1);
            if (!r->broken[n]) total += r->latest[n];
        }
        if (r->left) values[i] = (float)(total / r->left);
    }
    return CHL_OK;
}

static chl_status read_codes(run *r, int index, float *w) {
    const chl_optimisation *o = r->o;
    const int64_t each = o->numbers / o->samples;
    CHL_TRY(chl_read(o->graph, o->w, r->latest));
    for (int n = 0; n < o->samples; n++) {
        check_sample(r, index, n, r->latest + n * each, each);
        if (!r->broken[n]) memcpy(w + n * each, r->latest + n * each, sizeof(float) * (size_t)each);
    }
    return CHL_OK;
}

static chl_status set_pace(const chl_optimisation *o, int index, float *each) {
    if (o->paced == CHL_NONE) return CHL_OK;
    const float share = powf(((float)index + 0.5f) / (float)o->steps, o->rise);
    for (int n = 0; n < o->samples; n++) each[n] = o->paced_by ? o->paced_by[n] * share : share;
    return chl_write(o->graph, o->paced, each);
}

static chl_status one_step(run *r, int index, double start, float *w) {
    const chl_optimisation *o = r->o;
    float values[CHL_MAX_REPORTED];
    const chl_step step = {
        .seed = o->seed, .index = index, .rate = o->rate * chl_rate_factor(index, o->steps)};
    CHL_TRY(chl_set_step(o->graph, step));
    CHL_TRY(set_pace(o, index, r->latest)); /* a code has more numbers than samples */
    if (o->before) CHL_TRY(o->before(o->owner, index));
    CHL_TRY(chl_run(o->graph, o->segment));
    CHL_TRY(read_values(r, index, values));
    if (o->decode) CHL_TRY(chl_run(o->graph, o->decode));
    CHL_TRY(read_codes(r, index, w));
    if (!r->left) return explain(r);
    if (!o->progress) return CHL_OK;
    double seconds = chl_seconds_now() - start;
    chl_edit_progress progress = {.step = index + 1,
                                  .steps = o->steps,
                                  .seconds = seconds,
                                  .seconds_left = seconds / (index + 1) * (o->steps - index - 1),
                                  .w = w};
    o->describe(&progress, values);
    if (o->progress(o->user, &progress))
        return chl_fail(CHL_ERR_CANCELLED, "stopped after step %d of %d", index + 1, o->steps);
    return CHL_OK;
}

chl_status chl_optimise(const chl_optimisation *o, float *w) {
    run r = {.o = o, .left = o->samples};
    chl_status status = CHL_OK;
    r.latest = malloc(sizeof(float) * (size_t)o->numbers);
    r.broken = calloc((size_t)o->samples, sizeof *r.broken);
    if (!r.latest || !r.broken)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for a latent"));
    const double start = chl_seconds_now();
    for (int i = 0; i < o->steps; i++) CHL_TRY_GOTO(one_step(&r, i, start, w));
    if (r.left < o->samples) status = explain(&r);
done:
    if (o->broken && r.broken) memcpy(o->broken, r.broken, sizeof *r.broken * (size_t)o->samples);
    free(r.latest);
    free(r.broken);
    return status;
}

chl_status chl_cost_of(chl_graph *graph, chl_cost *cost) {
    chl_plan plan = {0};
    const chl_status status = chl_dry_run(graph, &plan);
    *cost = (chl_cost){.weight_bytes = plan.constant,
                       .activation_bytes = plan.transient,
                       .state_bytes = plan.persistent,
                       .flops_setup = plan.flops_constant,
                       .flops_step = plan.flops_step,
                       .nodes = plan.nodes};
    return status;
}
