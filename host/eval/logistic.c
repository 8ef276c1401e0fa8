#include "eval/logistic.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY 10       /* pairs of steps and gradient changes that L-BFGS keeps */
#define ITERATIONS 2000 /* a probe of 8732 sounds takes about 100 */
#define TOLERANCE 1e-7  /* of the gradient's largest number, over samples */
#define DECREASE 1e-4   /* Armijo's share of the decrease that the slope promises */
#define MAX_HALVINGS 60

typedef struct problem {
    const chl_logistic_data *data;
    int64_t numbers; /* of the weights */
    double *p;       /* [classes] of one sample */
} problem;

static double dot(int64_t n, const double *a, const double *b) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* logits[k] = sum_j x[j] w[j][k] + b[k] */
static void find_logits(int width, int classes, const double *w, const double *x, double *logits) {
    memcpy(logits, w + (int64_t)width * classes, sizeof *logits * (size_t)classes);
    for (int j = 0; j < width; j++) {
        const double *row = w + (int64_t)j * classes;
        for (int k = 0; k < classes; k++) logits[k] += x[j] * row[k];
    }
}

/* Logits become probabilities; returns -log of the true class's. */
static double softmax(int classes, int truth, double *p) {
    double largest = p[0];
    for (int k = 1; k < classes; k++) largest = fmax(largest, p[k]);
    const double mine = p[truth] - largest;
    double sum = p[0] = exp(p[0] - largest);
    for (int k = 1; k < classes; k++) sum += p[k] = exp(p[k] - largest);
    for (int k = 0; k < classes; k++) p[k] /= sum;
    return log(sum) - mine;
}

/* The objective and its gradient [numbers]. */
static double evaluate(const problem *q, const double *w, double *gradient) {
    const chl_logistic_data *d = q->data;
    const int64_t weights = (int64_t)d->width * d->classes;
    double value = 0.5 * d->l2 * dot(weights, w, w);
    for (int64_t i = 0; i < q->numbers; i++) gradient[i] = i < weights ? d->l2 * w[i] : 0;
    for (int64_t i = 0; i < d->count; i++) {
        const double *x = d->x + i * d->width;
        find_logits(d->width, d->classes, w, x, q->p);
        value += softmax(d->classes, d->class_[i], q->p);
        q->p[d->class_[i]] -= 1;
        for (int j = 0; j < d->width; j++) {
            double *row = gradient + (int64_t)j * d->classes;
            for (int k = 0; k < d->classes; k++) row[k] += x[j] * q->p[k];
        }
        for (int k = 0; k < d->classes; k++) gradient[weights + k] += q->p[k];
    }
    return value;
}

/* --- L-BFGS ----------------------------------------------------------------------------------- */
typedef struct history {
    int count; /* of all pairs so far; the last MEMORY are kept */
    double *step[MEMORY], *change[MEMORY], inverse[MEMORY]; /* 1 / (step . change) */
} history;

/* direction = -H gradient: the two loops of Nocedal 1980 */
static void find_direction(int64_t n, const history *h, const double *gradient, double *direction) {
    double alpha[MEMORY] = {0};
    const int kept = h->count < MEMORY ? h->count : MEMORY;
    for (int64_t i = 0; i < n; i++) direction[i] = -gradient[i];
    for (int back = 1; back <= kept; back++) {
        const int at = (h->count - back) % MEMORY;
        alpha[at] = h->inverse[at] * dot(n, h->step[at], direction);
        for (int64_t i = 0; i < n; i++) direction[i] -= alpha[at] * h->change[at][i];
    }
    if (kept > 0) {
        const int at = (h->count - 1) % MEMORY;
        const double scale = 1 / (h->inverse[at] * dot(n, h->change[at], h->change[at]));
        for (int64_t i = 0; i < n; i++) direction[i] *= scale;
    }
    for (int back = kept; back >= 1; back--) {
        const int at = (h->count - back) % MEMORY;
        const double beta = h->inverse[at] * dot(n, h->change[at], direction);
        for (int64_t i = 0; i < n; i++) direction[i] += (alpha[at] - beta) * h->step[at][i];
    }
}

/* Of a convex objective each step has step . change > 0, but for rounding at the end. */
static void remember(int64_t n, history *h, const double *w, const double *next,
                     const double *gradient, const double *next_gradient) {
    const int at = h->count % MEMORY;
    for (int64_t i = 0; i < n; i++) {
        h->step[at][i] = next[i] - w[i];
        h->change[at][i] = next_gradient[i] - gradient[i];
    }
    const double product = dot(n, h->step[at], h->change[at]);
    if (!(product > 0)) return;
    h->inverse[at] = 1 / product;
    h->count++;
}

typedef struct search {
    double *w, *gradient, *next, *next_gradient, *direction; /* [numbers] each */
    double value;
    history past;
} search;

static void swap(double **a, double **b) {
    double *const held = *a;
    *a = *b;
    *b = held;
}

/* One step along the direction, halved until the objective falls. False: it falls no more. */
static bool advance(const problem *q, search *s) {
    const int64_t n = q->numbers;
    find_direction(n, &s->past, s->gradient, s->direction);
    const double slope = dot(n, s->gradient, s->direction);
    double length = s->past.count ? 1 : 1 / fmax(1, sqrt(dot(n, s->gradient, s->gradient)));
    for (int i = 0; i < MAX_HALVINGS; i++, length /= 2) {
        for (int64_t k = 0; k < n; k++) s->next[k] = s->w[k] + length * s->direction[k];
        const double value = evaluate(q, s->next, s->next_gradient);
        if (!(value <= s->value + DECREASE * length * slope)) continue; /* NaN too */
        remember(n, &s->past, s->w, s->next, s->gradient, s->next_gradient);
        swap(&s->w, &s->next);
        swap(&s->gradient, &s->next_gradient);
        s->value = value;
        return true;
    }
    return false;
}

static double largest(int64_t n, const double *x) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    return most;
}

static chl_status run(const problem *q, search *s, chl_logistic *fit) {
    const double samples = (double)q->data->count;
    s->value = evaluate(q, s->w, s->gradient);
    bool moving = true;
    for (;; fit->iterations++) {
        fit->gradient = largest(q->numbers, s->gradient) / samples;
        if (fit->gradient <= TOLERANCE) return CHL_OK;
        if (!moving || fit->iterations == ITERATIONS) break;
        moving = advance(q, s);
    }
    return chl_fail(CHL_ERR_NUMERIC,
                    "the logistic regression did not converge: after %d iterations the gradient is "
                    "%g a sample, %g was expected: set l2 to a larger value",
                    fit->iterations, fit->gradient, TOLERANCE);
}

/* --- a fit ------------------------------------------------------------------------------------ */
#define VECTORS (5 + 2 * MEMORY)

chl_status chl_logistic_fit(const chl_logistic_data *data, chl_logistic *out) {
    *out = (chl_logistic){.classes = data->classes, .width = data->width};
    problem q = {.data = data, .numbers = (int64_t)(data->width + 1) * data->classes};
    double *memory = calloc(VECTORS * (size_t)q.numbers, sizeof *memory);
    out->weight = malloc(sizeof *out->weight * (size_t)q.numbers);
    q.p = malloc(sizeof *q.p * (size_t)data->classes);
    chl_status status;
    if (memory && out->weight && q.p) {
        double *at[VECTORS];
        for (int i = 0; i < VECTORS; i++) at[i] = memory + i * q.numbers;
        search s = {at[0], at[1], at[2], at[3], at[4], .value = 0};
        for (int i = 0; i < MEMORY; i++) {
            s.past.step[i] = at[5 + i];
            s.past.change[i] = at[5 + MEMORY + i];
        }
        status = run(&q, &s, out);
        memcpy(out->weight, s.w, sizeof *out->weight * (size_t)q.numbers);
    } else {
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for a logistic regression of %d x %d",
                          data->width, data->classes);
    }
    free(memory);
    free(q.p);
    if (status != CHL_OK) chl_logistic_free(out);
    return status;
}

void chl_logistic_free(chl_logistic *fit) {
    free(fit->weight);
    fit->weight = NULL;
}

int chl_logistic_classify(const chl_logistic *fit, const double *x) {
    const double *offset = fit->weight + (int64_t)fit->width * fit->classes;
    int best = 0;
    double most = -INFINITY;
    for (int k = 0; k < fit->classes; k++) {
        double logit = offset[k];
        for (int j = 0; j < fit->width; j++)
            logit += x[j] * fit->weight[(int64_t)j * fit->classes + k];
        if (logit > most) {
            most = logit;
            best = k;
        }
    }
    return best;
}
