/* Where the mapping puts codes: what an edit's distances are measured by. */
#ifndef CHL_EDIT_STATISTICS_H
#define CHL_EDIT_STATISTICS_H
#include <chladni/engine.h>

/* Of 4096 mapped codes of seed 0, untruncated. */
typedef struct chl_code_statistics {
    int width;          /* numbers in a code, d */
    float *mean;        /* [d] */
    double *covariance; /* [d][d] */
    double variance;    /* mean squared distance from the mean: the covariance's trace */
    float *root;        /* [d][d], see chl_symmetric_root; made at first use */
    int rank;           /* of the root: the mean squared length of whitened codes */
} chl_code_statistics;

/* Computed once per engine; needs the mapping network. */
chl_status chl_engine_statistics(chl_engine *engine, const chl_code_statistics **out);
/* The same with `root` and `rank`. */
chl_status chl_engine_whitening(chl_engine *engine, const chl_code_statistics **out);
void chl_code_statistics_free(chl_code_statistics *statistics);

/* root root = matrix, of a symmetric positive semi-definite matrix [n][n]. Eigenvalues below a
 * millionth of the largest count as 0; `rank` is the number of the others. */
chl_status chl_symmetric_root(int n, const double *matrix, float *root, int *rank);
#endif
