#include "models/code_statistics.h"
#include "base/free.h"
#include "base/symmetric_root.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* total: [d], all 0. */
static void take_mean(const float *codes, int count, int d, double *total, float *mean) {
    for (int64_t i = 0; i < (int64_t)count * d; i++) total[i % d] += codes[i];
    for (int i = 0; i < d; i++) mean[i] = (float)(total[i] /= count);
}

/* centred: [CHL_CODES_BATCH][d], room to work in. Rows of the sum are independent: any number of
 * threads gives the same bits. */
static void add_products(const double *centred, int d, double *covariance) {
#pragma omp parallel for schedule(dynamic, 8)
    for (int i = 0; i < d; i++)
        for (int n = 0; n < CHL_CODES_BATCH; n++) {
            const double *code = centred + (size_t)n * (size_t)d;
            double *row = covariance + (size_t)i * (size_t)d;
#pragma omp simd
            for (int j = i; j < d; j++) row[j] += code[i] * code[j];
        }
}

/* Returns the trace. */
static double take_covariance(const float *codes, int count, int d, const double *mean,
                              double *centred, double *covariance) {
    const size_t width = (size_t)d;
    double trace = 0;
    memset(covariance, 0, sizeof *covariance * width * width);
    for (size_t at = 0; at < (size_t)count; at += CHL_CODES_BATCH) {
        for (size_t i = 0; i < CHL_CODES_BATCH * width; i++)
            centred[i] = codes[at * width + i] - mean[i % width];
        add_products(centred, d, covariance);
    }
    for (size_t i = 0; i < width; i++) {
        for (size_t j = i; j < width; j++)
            covariance[j * width + i] = covariance[i * width + j] /= count;
        trace += covariance[i * width + i];
    }
    return trace;
}

static chl_status measure(const char *source, int count, const float *codes,
                          chl_code_statistics *s) {
    const size_t d = (size_t)s->width;
    double *work = calloc((CHL_CODES_BATCH + 1) * d, sizeof *work), *mean = work;
    s->mean = malloc(sizeof(float) * d);
    s->covariance = malloc(sizeof(double) * d * d);
    chl_status status = CHL_OK;
    if (!work || !s->mean || !s->covariance)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for the statistics of W"));
    take_mean(codes, count, s->width, mean, s->mean);
    s->variance = take_covariance(codes, count, s->width, mean, work + d, s->covariance);
    if (!(s->variance > 0) || !isfinite(s->variance))
        CHL_TRY_GOTO(chl_fail(CHL_ERR_NUMERIC, "%s: mapped codes have the variance %g", source,
                              s->variance));
done:
    free(work);
    return status;
}

chl_status chl_code_statistics_new(const char *source, int count, int d, const float *codes,
                                   chl_code_statistics **out) {
    *out = NULL;
    chl_code_statistics *made = calloc(1, sizeof *made);
    if (!made) return chl_fail(CHL_ERR_MEMORY, "out of memory for the statistics of W");
    made->width = d;
    CHL_HAND_OVER(measure(source, count, codes, made), made, out, chl_code_statistics_free);
}

chl_status chl_code_statistics_whiten(chl_code_statistics *s) {
    if (s->root) return CHL_OK;
    float *root = malloc(sizeof(float) * (size_t)s->width * (size_t)s->width);
    if (!root) return chl_fail(CHL_ERR_MEMORY, "out of memory for whitened W");
    const chl_status status = chl_symmetric_root(s->width, s->covariance, root, &s->rank);
    if (status == CHL_OK)
        s->root = root;
    else
        free(root);
    return status;
}

void chl_code_statistics_free(chl_code_statistics *s) {
    if (!s) return;
    CHL_FREE(s->mean, s->covariance, s->root, s);
}
