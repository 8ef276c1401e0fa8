#include "eval/tsne.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* As in the paper and its authors' program, but for the rate, which is that of scikit-learn. */
#define STEPS 1000
#define EARLY_STEPS 250 /* with exaggerated attraction */
#define EXAGGERATION 12
#define FIRST_SPREAD 1e-4 /* deviation of the places at the beginning */
#define LEAST_RATE 50
#define SEARCH_STEPS 60 /* halvings of a precision's interval */
#define LEAST 1e-12     /* a probability that counts as none */

typedef struct tsne {
    int n;
    double *p;                       /* [n][n], symmetric, of sum 1 */
    double *kernel;                  /* [n][n]: 1 / (1 + |y_i - y_j|^2) */
    double *place;                   /* [2][n] */
    double *velocity, *gain, *slope; /* [2][n] */
} tsne;

/* --- P ---------------------------------------------------------------------------------------- */
/* Row i at a precision; its entropy. The nearest other point's distance is taken off, so that no row
 * is all zeros. */
static double fill_row(int n, int i, const double *square, double precision, double *row) {
    double nearest = INFINITY, sum = 0, entropy = 0;
    for (int j = 0; j < n; j++)
        if (j != i) nearest = fmin(nearest, square[j]);
    for (int j = 0; j < n; j++) {
        row[j] = j == i ? 0 : exp(-precision * (square[j] - nearest));
        sum += row[j];
    }
    for (int j = 0; j < n; j++) {
        row[j] /= sum;
        if (row[j] > 0) entropy -= row[j] * log(row[j]);
    }
    return entropy;
}

/* The precision whose row has the perplexity. */
static void find_row(int n, int i, const double *square, double scale, double perplexity,
                     double *row) {
    double low = log(1e-10 / scale), high = log(1e10 / scale);
    for (int step = 0; step < SEARCH_STEPS; step++) {
        const double middle = (low + high) / 2;
        const double entropy = fill_row(n, i, square, exp(middle), row);
        *(entropy > log(perplexity) ? &low : &high) = middle;
    }
}

static void find_p(tsne *t, const double *square, double perplexity) {
    const int n = t->n;
    double scale = 0;
    for (int i = 0; i < n * n; i++) scale = fmax(scale, square[i]);
    if (scale == 0) scale = 1; /* all points are one */
    for (int i = 0; i < n; i++)
        find_row(n, i, square + (size_t)i * (size_t)n, scale, perplexity,
                 t->p + (size_t)i * (size_t)n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double *a = &t->p[i * n + j], *b = &t->p[j * n + i];
            *a = *b = (*a + *b) / (2 * n);
        }
}

/* --- places ----------------------------------------------------------------------------------- */
/* Fills the kernel; its sum over all pairs. */
static double find_kernel(tsne *t) {
    const int n = t->n;
    const double *x = t->place, *y = t->place + n;
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            const double dx = x[i] - x[j], dy = y[i] - y[j];
            t->kernel[i * n + j] = i == j ? 0 : 1 / (1 + dx * dx + dy * dy);
            sum += t->kernel[i * n + j];
        }
    return sum;
}

/* 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2) */
static void find_slope(tsne *t, double attraction) {
    const int n = t->n;
    const double sum = find_kernel(t);
    for (int k = 0; k < 2; k++) {
        const double *y = t->place + k * n;
        for (int i = 0; i < n; i++) {
            double slope = 0;
            for (int j = 0; j < n; j++) {
                const double kernel = t->kernel[i * n + j];
                slope += (attraction * t->p[i * n + j] - kernel / sum) * kernel * (y[i] - y[j]);
            }
            t->slope[k * n + i] = 4 * slope;
        }
    }
}

static void move(tsne *t, int step) {
    const bool early = step < EARLY_STEPS;
    const double momentum = early ? 0.5 : 0.8;
    const double rate = fmax((double)t->n / EXAGGERATION / 4, LEAST_RATE);
    find_slope(t, early ? EXAGGERATION : 1);
    for (int i = 0; i < 2 * t->n; i++) {
        const bool turned = t->slope[i] * t->velocity[i] > 0;
        t->gain[i] = fmax(turned ? t->gain[i] * 0.8 : t->gain[i] + 0.2, 0.01);
        t->velocity[i] = momentum * t->velocity[i] - rate * t->gain[i] * t->slope[i];
        t->place[i] += t->velocity[i];
    }
}

static void begin(tsne *t) {
    double squares = 0;
    for (int i = 0; i < t->n; i++) squares += t->place[i] * t->place[i];
    const double spread = sqrt(squares / t->n);
    for (int i = 0; i < 2 * t->n; i++) {
        /* where all points are one, they begin on a line */
        t->place[i] = spread > 0 ? t->place[i] * FIRST_SPREAD / spread : i * FIRST_SPREAD;
        t->gain[i] = 1;
        t->velocity[i] = 0;
    }
}

static double find_divergence(tsne *t) {
    const double sum = find_kernel(t);
    double divergence = 0;
    for (int i = 0; i < t->n * t->n; i++)
        if (t->p[i] > LEAST) divergence += t->p[i] * log(t->p[i] / fmax(t->kernel[i] / sum, LEAST));
    return divergence;
}

chl_status chl_tsne(int n, const double *square, double perplexity, double *place,
                    double *divergence) {
    const size_t pairs = (size_t)n * (size_t)n;
    double *room = malloc(sizeof *room * (2 * pairs + 6 * (size_t)n));
    if (!room) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d points", n);
    tsne t = {.n = n,
              .p = room,
              .kernel = room + pairs,
              .place = place,
              .velocity = room + 2 * pairs,
              .gain = room + 2 * pairs + 2 * (size_t)n,
              .slope = room + 2 * pairs + 4 * (size_t)n};
    find_p(&t, square, perplexity);
    begin(&t);
    for (int step = 0; step < STEPS; step++) move(&t, step);
    *divergence = find_divergence(&t);
    free(room);
    return CHL_OK;
}
