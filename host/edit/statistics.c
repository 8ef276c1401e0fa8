#include "edit/statistics.h"
#include "base/numpy_random.h"
#include "edit/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* the number of mapped codes that the papers take the centre of */
#define CODES 4096
#define BATCH 256

/* --- mean and covariance ---------------------------------------------------------------------- */
static chl_status draw_codes(chl_engine *engine, float *codes) {
    const size_t z = (size_t)engine->generator_config.z_dim;
    const size_t d = (size_t)engine->generator_config.w_dim;
    float *drawn = malloc(sizeof(float) * CODES * z);
    if (!drawn) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d codes", CODES);
    chl_numpy_normals(0, (int64_t)CODES * (int64_t)z, drawn);
    chl_status status = CHL_OK;
    for (size_t at = 0; at < CODES && status == CHL_OK; at += BATCH)
        status = chl_engine_map(engine, BATCH, drawn + at * z, codes + at * d);
    free(drawn);
    return status;
}

/* total: [d], all 0. */
static void take_mean(const float *codes, int d, double *total, float *mean) {
    for (int64_t i = 0; i < (int64_t)CODES * d; i++) total[i % d] += codes[i];
    for (int i = 0; i < d; i++) mean[i] = (float)(total[i] /= CODES);
}

/* centred: [BATCH][d], room to work in. Rows of the sum are independent: any number of threads
 * gives the same bits. */
static void add_products(const double *centred, int d, double *covariance) {
#pragma omp parallel for schedule(dynamic, 8)
    for (int i = 0; i < d; i++)
        for (int n = 0; n < BATCH; n++) {
            const double *code = centred + (size_t)n * (size_t)d;
            double *row = covariance + (size_t)i * (size_t)d;
#pragma omp simd
            for (int j = i; j < d; j++) row[j] += code[i] * code[j];
        }
}

static double take_covariance(const float *codes, int d, const double *mean, double *centred,
                              double *covariance) {
    const size_t width = (size_t)d;
    double trace = 0;
    memset(covariance, 0, sizeof *covariance * width * width);
    for (size_t at = 0; at < CODES; at += BATCH) {
        for (size_t i = 0; i < BATCH * width; i++)
            centred[i] = codes[at * width + i] - mean[i % width];
        add_products(centred, d, covariance);
    }
    for (size_t i = 0; i < width; i++) {
        for (size_t j = i; j < width; j++)
            covariance[j * width + i] = covariance[i * width + j] /= CODES;
        trace += covariance[i * width + i];
    }
    return trace;
}

static chl_status measure(chl_engine *engine, chl_code_statistics *s) {
    const size_t d = (size_t)engine->generator_config.w_dim;
    float *codes = malloc(sizeof(float) * CODES * d);
    double *work = calloc((BATCH + 1) * d, sizeof *work), *mean = work;
    s->width = (int)d;
    s->mean = malloc(sizeof(float) * d);
    s->covariance = malloc(sizeof(double) * d * d);
    chl_status status = CHL_OK;
    if (!codes || !work || !s->mean || !s->covariance)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for the statistics of W"));
    CHL_TRY_GOTO(draw_codes(engine, codes));
    take_mean(codes, (int)d, mean, s->mean);
    s->variance = take_covariance(codes, (int)d, mean, work + d, s->covariance);
    if (!(s->variance > 0) || !isfinite(s->variance))
        CHL_TRY_GOTO(chl_fail(CHL_ERR_NUMERIC, "%s: mapped codes have the variance %g",
                              engine->generator->source, s->variance));
done:
    free(codes);
    free(work);
    return status;
}

chl_status chl_engine_statistics(chl_engine *engine, const chl_code_statistics **out) {
    CHL_TRY(chl_engine_need_mapping(engine, "the statistics of W"));
    if (!engine->statistics) {
        chl_code_statistics *made = calloc(1, sizeof *made);
        if (!made) return chl_fail(CHL_ERR_MEMORY, "out of memory for the statistics of W");
        chl_status status = measure(engine, made);
        if (status != CHL_OK) {
            chl_code_statistics_free(made);
            return status;
        }
        engine->statistics = made;
    }
    *out = engine->statistics;
    return CHL_OK;
}

void chl_code_statistics_free(chl_code_statistics *s) {
    if (!s) return;
    free(s->mean);
    free(s->covariance);
    free(s->root);
    free(s);
}

/* --- square root ------------------------------------------------------------------------------ */
/* A direction whose deviation is below a thousandth of the widest one's is not taken by mapped
 * codes; what is measured there is rounding of the mapping's float32. */
#define SMALLEST_SHARE 1e-6
/* Far below the share above: rows this small may stay as they are. */
#define NEGLIGIBLE_SHARE 1e-10
#define ORTHOGONAL 1e-12
#define MAX_SWEEPS 60

/* Makes rows a and b orthogonal by a rotation; false when they were. */
static bool rotate(int n, double *a, double *b, double least) {
    double aa = 0, bb = 0, ab = 0;
#pragma omp simd reduction(+ : aa, bb, ab)
    for (int i = 0; i < n; i++) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    if (aa < least || bb < least || fabs(ab) <= ORTHOGONAL * sqrt(aa * bb)) return false;
    const double zeta = (bb - aa) / (2 * ab);
    const double t = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    const double c = 1 / sqrt(1 + t * t), s = c * t;
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const double x = a[i], y = b[i];
        a[i] = c * x - s * y;
        b[i] = s * x + c * y;
    }
    return true;
}

static double length(int n, const double *row) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += row[i] * row[i];
    return sqrt(sum);
}

/* One-sided Jacobi [Hestenes 1958]: rotations V^T from the left make the rows of M = V L V^T
 * orthogonal, and V^T M = L V^T: row i ends as eigenvalue times eigenvector. 512 rows: 0.4 s. */
static chl_status orthogonalise(int n, double *matrix) {
    double most = 0;
    for (int i = 0; i < n; i++) most = fmax(most, length(n, matrix + (size_t)i * (size_t)n));
    const double least = NEGLIGIBLE_SHARE * most * NEGLIGIBLE_SHARE * most;
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        bool changed = false;
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                changed |= rotate(n, matrix + (size_t)i * (size_t)n, matrix + (size_t)j * (size_t)n,
                                  least);
        if (!changed) return CHL_OK;
    }
    return chl_fail(CHL_ERR_NUMERIC, "the eigenvalues of the covariance of W do not converge");
}

/* sum_i sqrt(l_i) v_i v_i^T from rows l_i v_i */
static int gather_root(int n, const double *rows, double *factor, double *line, float *root) {
    double most = 0;
    int rank = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, factor[i] = length(n, rows + (size_t)i * (size_t)n));
    for (int i = 0; i < n; i++) {
        const bool kept = factor[i] > SMALLEST_SHARE * most;
        factor[i] = kept ? pow(factor[i], -1.5) : 0;
        rank += kept;
    }
    for (int p = 0; p < n; p++) {
        for (int q = 0; q < n; q++) line[q] = 0;
        for (int i = 0; i < n; i++) {
            const double *row = rows + (size_t)i * (size_t)n, weight = factor[i] * row[p];
#pragma omp simd
            for (int q = 0; q < n; q++) line[q] += weight * row[q];
        }
        for (int q = 0; q < n; q++) root[(size_t)p * (size_t)n + (size_t)q] = (float)line[q];
    }
    return rank;
}

chl_status chl_symmetric_root(int n, const double *matrix, float *root, int *rank) {
    const size_t size = (size_t)n * (size_t)n;
    double *rows = malloc(sizeof(double) * (size + 2 * (size_t)n));
    if (!rows) return chl_fail(CHL_ERR_MEMORY, "out of memory for a square root");
    memcpy(rows, matrix, sizeof(double) * size);
    chl_status status = orthogonalise(n, rows);
    if (status == CHL_OK) *rank = gather_root(n, rows, rows + size, rows + size + n, root);
    free(rows);
    return status;
}

chl_status chl_engine_whitening(chl_engine *engine, const chl_code_statistics **out) {
    CHL_TRY(chl_engine_statistics(engine, out));
    chl_code_statistics *s = engine->statistics;
    if (s->root) return CHL_OK;
    float *root = malloc(sizeof(float) * (size_t)s->width * (size_t)s->width);
    if (!root) return chl_fail(CHL_ERR_MEMORY, "out of memory for whitened W");
    chl_status status = chl_symmetric_root(s->width, s->covariance, root, &s->rank);
    if (status == CHL_OK)
        s->root = root;
    else
        free(root);
    return status;
}
