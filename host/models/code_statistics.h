/* Where a generator's mapping puts codes: their mean, their covariance and its root.
 *
 *     chl_code_statistics *s;
 *     CHL_TRY(chl_code_statistics_new(source, count, d, codes, &s));
 *     CHL_TRY(chl_code_statistics_whiten(s));
 *     w = mean + root u has the codes' mean and covariance when u is standard normal
 *     chl_code_statistics_free(s); */
#ifndef CHL_MODELS_CODE_STATISTICS_H
#define CHL_MODELS_CODE_STATISTICS_H
#include "base/status.h"

typedef struct chl_code_statistics {
    int width;          /* numbers in a code, d */
    float *mean;        /* [d] */
    double *covariance; /* [d][d] */
    double variance;    /* mean squared distance from the mean: the covariance's trace */
    float *root;        /* [d][d], see chl_symmetric_root; NULL before chl_code_statistics_whiten */
    int rank;           /* of the root: the mean squared length of whitened codes */
} chl_code_statistics;

/* codes [count][d], count a multiple of CHL_CODES_BATCH; `source` is for error texts. Codes that
 * are all equal, or not finite, are CHL_ERR_NUMERIC. */
#define CHL_CODES_BATCH 256
chl_status chl_code_statistics_new(const char *source, int count, int d, const float *codes,
                                   chl_code_statistics **out);
/* Sets `root` and `rank`. */
chl_status chl_code_statistics_whiten(chl_code_statistics *statistics);
void chl_code_statistics_free(chl_code_statistics *statistics); /* NULL is fine */
#endif
