/* Comparing a network with what another framework made of it (tests/fixtures). For cmocka tests:
 * whatever cannot be read fails the running test; every figure is printed. Memory handed out is to
 * be released with free, params with chl_params_free. */
#ifndef CHL_TEST_PARITY_H
#define CHL_TEST_PARITY_H
#include "formula.h"
#include "graph/graph.h"
#include "io/npy.h"
#include "io/weights.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka.h needs the others before it */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* Fails the running test with chl_error() when `call` is not CHL_OK. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s: %s", #call, chl_error());                              \
    } while (0)

/* tests/fixtures/<name>, any container */
static inline chl_params *parity_weights(const char *name) {
    char path[512];
    snprintf(path, sizeof path, CHLADNI_FIXTURES "/%s", name);
    chl_params *params = NULL;
    MUST(chl_weights_read(path, &params));
    return params;
}

/* tests/fixtures/<name>.npy, which must hold `count` float32 */
static inline float *parity_array(const char *name, int64_t count) {
    char path[512];
    snprintf(path, sizeof path, CHLADNI_FIXTURES "/%s.npy", name);
    chl_desc desc;
    void *data = NULL;
    MUST(chl_npy_read(path, &desc, &data));
    assert_int_equal(desc.dtype, CHL_F32);
    assert_int_equal(chl_count(&desc), count);
    return data;
}

/* formula_fill's values in new memory */
static inline float *parity_formula(const char *name, double centre, double amplitude,
                                    int64_t count) {
    float *data = malloc((size_t)count * sizeof *data);
    assert_non_null(data);
    formula_fill(name, centre, amplitude, count, data);
    return data;
}

/* [rows, columns] called "target" by formula, each row scaled to length 1 */
static inline float *parity_target(int64_t rows, int64_t columns) {
    float *data = parity_formula("target", 0, 1, rows * columns);
    for (int64_t r = 0; r < rows; r++) {
        double square = 0;
        for (int64_t c = 0; c < columns; c++)
            square += (double)data[r * columns + c] * data[r * columns + c];
        for (int64_t c = 0; c < columns; c++)
            data[r * columns + c] = (float)(data[r * columns + c] / sqrt(square));
    }
    return data;
}

/* chl_read of a tensor, then every `step`-th value (1: all), `count` of them */
static inline float *parity_read(chl_graph *g, chl_tensor x, int64_t step, int64_t *count) {
    int64_t all = chl_count(chl_desc_of(g, x));
    float *data = malloc((size_t)all * sizeof *data);
    assert_non_null(data);
    MUST(chl_read(g, x, data));
    *count = (all + step - 1) / step;
    for (int64_t i = 0; i < *count; i++) data[i] = data[i * step];
    return data;
}

/* Smallest cosine between a row of a and the same row of b */
static inline double parity_cosine(const char *what, const float *a, const float *b, int64_t rows,
                                   int64_t columns) {
    double least = 1;
    for (int64_t r = 0; r < rows; r++) {
        double ab = 0, aa = 0, bb = 0;
        for (int64_t i = r * columns; i < (r + 1) * columns; i++) {
            ab += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }
        least = fmin(least, ab / sqrt(aa * bb));
        if (!(aa > 0)) least = NAN;
    }
    print_message("%-48s 1 - cosine %.1e\n", what, 1 - least);
    return least;
}

/* |a - b| / |b|, Euclidean; infinite where b is all zero */
static inline double parity_error(const char *what, const float *a, const float *b, int64_t count) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    double error = size > 0 ? sqrt(difference / size) : INFINITY;
    print_message("%-48s error %.1e\n", what, error);
    return error;
}
#endif
