/* The comparison of directions, against numbers that can be said beforehand and against codes. */
#include "harness/parity.h"
#include <chladni.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define near(x, y, tolerance) assert_true(fabs((x) - (y)) <= (tolerance))

/* Directions by their names and sounds, as all that a comparison needs. */
static chl_direction_options options_of(int count, int numbers, const float *direction,
                                        const char *const *name, const char *const *group) {
    return (chl_direction_options){.size = sizeof(chl_direction_options),
                                   .count = count,
                                   .numbers = numbers,
                                   .direction = direction,
                                   .name = name,
                                   .group = group};
}

static json_t *compare(const chl_direction_options *options) {
    char *text;
    MUST(chl_compare_directions(options, &text));
    json_t *report = json_loads(text, 0, NULL);
    chl_release(text);
    assert_non_null(report);
    return report;
}

static double in_row(const json_t *rows, size_t i, size_t k) {
    return json_number_value(json_array_get(json_array_get(rows, i), k));
}

static double inside(const json_t *report, const char *object, const char *key, const char *what) {
    return json_number_value(
        json_object_get(json_object_get(json_object_get(report, object), key), what));
}

/* a cross around (1, 1, 1): long along the first axis, short along the second */
static const float cross[] = {4, 1, 1, -2, 1, 1, 1, 2, 1, 1, 0, 1};
static const char *const names[] = {"a", "b", "c", "d"};
static const char *const groups[] = {"long", "long", "short", "short"};

static void components_are_those_of_a_cross(void **state) {
    (void)state;
    const chl_direction_options options = options_of(4, 3, cross, names, groups);
    json_t *report = compare(&options);
    const double want[4][2] = {{3, 0}, {-3, 0}, {0, 1}, {0, -1}};
    for (size_t i = 0; i < 4; i++) {
        const json_t *one = json_array_get(json_object_get(report, "directions"), i);
        for (size_t k = 0; k < 2; k++)
            near(json_number_value(json_array_get(json_object_get(one, "pca"), k)), want[i][k],
                 1e-6);
    }
    const json_t *explained = json_object_get(json_object_get(report, "pca"), "explained");
    near(json_number_value(json_array_get(explained, 0)), 0.9, 1e-6);
    near(json_number_value(json_array_get(explained, 1)), 0.1, 1e-6);
    json_decref(report);
}

static void cosines_are_of_directions_and_their_groups(void **state) {
    (void)state;
    const chl_direction_options options = options_of(4, 3, cross, names, groups);
    json_t *report = compare(&options);
    const json_t *cosines = json_object_get(report, "cosines"),
                 *between = json_object_get(report, "between");
    const double ab = -6 / sqrt(18.0 * 6), cd = 2 / sqrt(6.0 * 2);
    near(in_row(cosines, 0, 0), 1, 1e-6);
    near(in_row(cosines, 0, 1), ab, 1e-6);
    near(in_row(cosines, 3, 2), cd, 1e-6);
    near(in_row(between, 0, 0), ab, 1e-6); /* a direction with itself does not count */
    near(in_row(between, 1, 1), cd, 1e-6);
    near(in_row(between, 0, 1),
         (7 / sqrt(18.0 * 6) + 5 / sqrt(18.0 * 2) + 1 / sqrt(6.0 * 6) - 1 / sqrt(6.0 * 2)) / 4,
         1e-6);
    assert_true(json_is_null(json_object_get(report, "table2")));
    json_decref(report);
}

static double cosine(const double *a, const double *b) {
    double aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < 3; i++) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Two sources, each by a sound and by the text of its name; a third edit by another text. */
static void table_2_is_of_the_codes(void **state) {
    (void)state;
    static const double source[2][3] = {{1, 2, 3}, {-2, 0, 1}};
    static const float moved[] = {0.5f,   0.25f, 0, 0.5f,  -0.25f, 1,    -1, 0.5f,
                                  0.125f, 0.5f,  1, 0.25f, 0.75f,  0.5f, 1};
    static const int from[] = {0, 0, 1, 1, 1}, by_text[] = {0, 1, 0, 1, 1};
    static const char *const sources[] = {"s", "s", "t", "t", "t"};
    static const char *const guide[] = {"rain", "rain", "rain", "rain", "wind"};
    static const char *const name[] = {"1", "2", "3", "4", "5"};
    double square[5], dot[5], code[5][3];
    for (int i = 0; i < 5; i++) {
        square[i] = dot[i] = 0;
        for (int k = 0; k < 3; k++) {
            const double s = source[from[i]][k], d = (double)moved[3 * i + k];
            square[i] += s * s;
            dot[i] += s * d;
            code[i][k] = s + d;
        }
    }
    chl_direction_options options = options_of(5, 3, moved, name, guide);
    options.by_text = by_text;
    options.source = sources;
    options.guide = guide;
    options.source_square = square;
    options.source_dot = dot;
    json_t *report = compare(&options);
    near(inside(report, "table2", "source_sound", "mean"),
         (cosine(source[0], code[0]) + cosine(source[1], code[2])) / 2, 1e-6);
    near(inside(report, "table2", "source_text", "mean"),
         (cosine(source[0], code[1]) + cosine(source[1], code[3]) + cosine(source[1], code[4])) / 3,
         1e-6);
    near(inside(report, "table2", "sound_text", "pairs"), 2, 0);
    near(inside(report, "table2", "sound_text", "mean"),
         (cosine(code[0], code[1]) + cosine(code[2], code[3])) / 2, 1e-6);
    near(inside(report, "table2", "directions", "mean"),
         (in_row(json_object_get(report, "cosines"), 0, 1) +
          in_row(json_object_get(report, "cosines"), 2, 3)) /
             2,
         1e-6);
    json_decref(report);
}

/* --- t-SNE ------------------------------------------------------------------------------------ */
#define POINTS 24
#define PERPLEXITY 5

/* Three bundles far apart, of eight directions each. */
static void make_bundles(float *bundle) {
    for (int i = 0; i < POINTS; i++)
        for (int k = 0; k < 3; k++)
            bundle[3 * i + k] =
                (k == i / 8 ? 10 : 0) + (float)sin(3.7 * i + 1.3 * k) + 0.1f * (float)(i % 8);
}

/* KL(P || Q) as the paper defines it, and P by a plain search over deviations. */
static double divergence_of(const float *x, const double (*y)[2]) {
    static double p[POINTS][POINTS];
    double sum = 0, kl = 0;
    for (int i = 0; i < POINTS; i++) {
        double low = 1e-3, high = 1e3, total;
        for (int step = 0; step < 200; step++) {
            const double deviation = sqrt(low * high);
            double entropy = 0;
            total = 0;
            for (int j = 0; j < POINTS; j++) {
                double square = 0;
                for (int k = 0; k < 3; k++)
                    square += pow((double)x[3 * i + k] - (double)x[3 * j + k], 2);
                p[i][j] = i == j ? 0 : exp(-square / (2 * deviation * deviation));
                total += p[i][j];
            }
            for (int j = 0; j < POINTS; j++) {
                p[i][j] /= total;
                if (p[i][j] > 0) entropy -= p[i][j] * log2(p[i][j]);
            }
            *(pow(2, entropy) < PERPLEXITY ? &low : &high) = deviation;
        }
    }
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++)
            if (i != j) sum += 1 / (1 + pow(y[i][0] - y[j][0], 2) + pow(y[i][1] - y[j][1], 2));
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++) {
            const double joint = (p[i][j] + p[j][i]) / (2 * POINTS);
            const double q = 1 / (1 + pow(y[i][0] - y[j][0], 2) + pow(y[i][1] - y[j][1], 2)) / sum;
            if (i != j && joint > 0) kl += joint * log(joint / q);
        }
    return kl;
}

static void tsne_ends_in_a_minimum_of_the_papers_divergence(void **state) {
    (void)state;
    static float bundle[3 * POINTS];
    const char *name[POINTS];
    double y[POINTS][2];
    make_bundles(bundle);
    for (int i = 0; i < POINTS; i++) name[i] = i / 8 == 0 ? "a" : i / 8 == 1 ? "b" : "c";
    chl_direction_options options = options_of(POINTS, 3, bundle, name, name);
    options.plot = CHL_DIRECTIONS_TSNE;
    options.perplexity = PERPLEXITY;
    json_t *report = compare(&options);
    const json_t *tsne = json_object_get(report, "tsne");
    const double divergence = json_number_value(json_object_get(tsne, "divergence"));
    for (int i = 0; i < POINTS; i++)
        for (int k = 0; k < 2; k++)
            y[i][k] = json_number_value(json_array_get(
                json_object_get(json_array_get(json_object_get(report, "directions"), (size_t)i),
                                "tsne"),
                (size_t)k));
    json_decref(report);
    near(divergence_of(bundle, (const double(*)[2])y), divergence, 1e-4);
    for (int i = 0; i < POINTS; i++) {
        for (int k = 0; k < 2; k++) {
            const double at = y[i][k], h = 1e-3;
            y[i][k] = at + h;
            const double after = divergence_of(bundle, (const double(*)[2])y);
            y[i][k] = at - h;
            const double before = divergence_of(bundle, (const double(*)[2])y);
            y[i][k] = at;
            near((after - before) / (2 * h), 0, 1e-3);
        }
        int nearest = -1;
        double least = INFINITY;
        for (int j = 0; j < POINTS; j++) {
            const double far = pow(y[i][0] - y[j][0], 2) + pow(y[i][1] - y[j][1], 2);
            if (j != i && far < least) {
                least = far;
                nearest = j;
            }
        }
        assert_int_equal(nearest / 8, i / 8); /* a bundle stays together */
    }
}

static void tsne_of_directions_that_are_one_does_not_fail(void **state) {
    (void)state;
    static const float one[] = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2};
    static const char *const name[] = {"1", "2", "3", "4", "5"};
    chl_direction_options options = options_of(5, 2, one, name, name);
    options.plot = CHL_DIRECTIONS_TSNE;
    json_t *report = compare(&options);
    assert_true(json_is_number(json_object_get(json_object_get(report, "tsne"), "divergence")));
    json_decref(report);
    char *text;
    options.perplexity = 4;
    assert_int_equal(chl_compare_directions(&options, &text), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "perplexity must be in [1, directions - 1), got 4");
    options.count = 3;
    assert_int_equal(chl_compare_directions(&options, &text), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "count must be >= 4 for t-SNE, got 3");
}

static void one_direction_and_none_that_moves_are_compared_too(void **state) {
    (void)state;
    static const float still[] = {0, 0, 0, 1, 0, 0};
    chl_direction_options options = options_of(2, 3, still, names, names);
    json_t *report = compare(&options);
    assert_true(
        json_is_null(json_array_get(json_array_get(json_object_get(report, "cosines"), 0), 1)));
    json_decref(report);
    options.count = 1;
    json_decref(compare(&options));
}

static void what_is_no_direction_is_refused(void **state) {
    (void)state;
    float broken[] = {0, 1, NAN};
    char *text;
    chl_direction_options options = options_of(1, 3, broken, names, names);
    assert_int_equal(chl_compare_directions(&options, &text), CHL_ERR_NUMERIC);
    assert_non_null(strstr(chl_error(), "`direction` must be finite"));
    options.count = CHL_MAX_DIRECTIONS + 1;
    assert_int_equal(chl_compare_directions(&options, &text), CHL_ERR_ARGUMENT);
    assert_string_equal(chl_error(), "count must be in [1, 1000], got 1001");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components_are_those_of_a_cross),
        cmocka_unit_test(cosines_are_of_directions_and_their_groups),
        cmocka_unit_test(table_2_is_of_the_codes),
        cmocka_unit_test(tsne_ends_in_a_minimum_of_the_papers_divergence),
        cmocka_unit_test(tsne_of_directions_that_are_one_does_not_fail),
        cmocka_unit_test(one_direction_and_none_that_moves_are_compared_too),
        cmocka_unit_test(what_is_no_direction_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
