/* Multinomial logistic regression with an L2 penalty, fitted to the end:
 *
 *     min over W, b of  sum_i -log softmax(W x_i + b)[class_i] + l2/2 |W|^2
 *
 * the objective of scikit-learn's LogisticRegression with C = 1/l2; the offsets b are not
 * penalised. L-BFGS [Liu & Nocedal 1989] over all samples at once, in double precision, from zeros,
 * on one thread: the same input gives the same bits. */
#ifndef CHL_EVAL_LOGISTIC_H
#define CHL_EVAL_LOGISTIC_H
#include "base/status.h"
#include <stdint.h>

typedef struct chl_logistic {
    int classes, width;
    double *weight; /* [width + 1][classes], the last row the offsets */
    int iterations;
    double gradient; /* its largest number where the fit ended, over samples */
} chl_logistic;

typedef struct chl_logistic_data {
    int64_t count;
    int classes, width;
    const double *x;   /* [count][width] */
    const int *class_; /* [count] */
    double l2;         /* > 0 */
} chl_logistic_data;

/* CHL_ERR_NUMERIC where 2000 iterations do not reach a gradient of 1e-7 a sample. */
chl_status chl_logistic_fit(const chl_logistic_data *data, chl_logistic *out);
void chl_logistic_free(chl_logistic *fit);
/* The class of the largest probability. */
int chl_logistic_classify(const chl_logistic *fit, const double *x);
#endif
