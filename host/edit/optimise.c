#include "edit/optimise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

float chl_rate_factor(int index, int steps) {
    /* the middle of the step: at its ends the schedule is 0 and a step would be wasted */
    const double t = (index + 0.5) / steps;
    const double fall = fmin(1, (1 - t) / 0.25), rise = fmin(1, t / 0.05);
    return (float)(rise * (0.5 - 0.5 * cos(fall * 3.14159265358979323846)));
}

/* `each` has room for one number a sample. */
static chl_status read_values(const chl_optimisation *o, float *each,
                              float values[CHL_MOST_REPORTED]) {
    for (int i = 0; i < CHL_MOST_REPORTED; i++) {
        double total = 0;
        values[i] = 0;
        if (o->reported[i] == CHL_NONE) continue;
        CHL_TRY(chl_read(o->graph, o->reported[i], each));
        for (int n = 0; n < o->samples; n++) total += each[n];
        values[i] = (float)(total / o->samples);
    }
    return CHL_OK;
}

static bool all_finite(const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static chl_status set_pace(const chl_optimisation *o, int index, float *each) {
    if (o->paced == CHL_NONE) return CHL_OK;
    const float share = powf(((float)index + 0.5f) / (float)o->steps, o->rise);
    for (int n = 0; n < o->samples; n++) each[n] = share;
    return chl_write(o->graph, o->paced, each);
}

static chl_status one_step(const chl_optimisation *o, int index, double start, float *latest,
                           float *w) {
    float values[CHL_MOST_REPORTED];
    chl_set_step(o->graph, (chl_step){.seed = o->seed,
                                      .index = index,
                                      .rate = o->rate * chl_rate_factor(index, o->steps)});
    CHL_TRY(set_pace(o, index, latest)); /* a code has more numbers than samples */
    CHL_TRY(chl_run(o->graph, o->segment));
    CHL_TRY(read_values(o, latest, values));
    if (o->decode) CHL_TRY(chl_run(o->graph, o->decode));
    CHL_TRY(chl_read(o->graph, o->w, latest));
    if (!all_finite(values, CHL_MOST_REPORTED) || !all_finite(latest, o->numbers))
        return chl_fail(CHL_ERR_NUMERIC,
                        "step %d: a loss is not finite any more: lower the learning rate",
                        index + 1);
    memcpy(w, latest, sizeof(float) * (size_t)o->numbers);
    if (!o->progress) return CHL_OK;
    double seconds = now() - start;
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
    float *latest = malloc(sizeof(float) * (size_t)o->numbers);
    if (!latest) return chl_fail(CHL_ERR_MEMORY, "out of memory for a latent");
    const double start = now();
    chl_status status = CHL_OK;
    for (int i = 0; i < o->steps && status == CHL_OK; i++)
        status = one_step(o, i, start, latest, w);
    free(latest);
    return status;
}
