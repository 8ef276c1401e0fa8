/* The judge against a naive forward pass, and what it says of files that are no judge. */
#include "demo/judge.h"
#include "graph/build.h"
#include "harness/parity.h"
#include <string.h>

enum { SIDE = 9, PICTURES = 5, VALUES = SIDE * SIDE * 3 };

static chl_params *tiny(chl_judge_config *config) {
    *config = (chl_judge_config){.side = SIDE,
                                 .stages = 2,
                                 .width = {4, 7},
                                 .classes = {3, 4, 3, 2},
                                 .kind_name = {"rain", "church bell", "St. Elmo's fire"}};
    chl_params *params;
    MUST(chl_judge_random(config, 3, &params));
    return params;
}

/* values that a fresh net has at 0 and 1 */
static void disturb(chl_params *params) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++) {
            char name[64];
            snprintf(name, sizeof name, "norm%d.%s", i, parts[k]);
            const chl_array *a = chl_params_find(params, name);
            formula_fill(name, k % 2 ? 0.9 : 0.2, 0.3, chl_count(&a->desc), a->data);
        }
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        char name[64];
        snprintf(name, sizeof name, "%s.bias", chl_judge_question_name(q));
        const chl_array *a = chl_params_find(params, name);
        formula_fill(name, 0, 0.5, chl_count(&a->desc), a->data);
    }
}

static const float *data_of(const chl_params *params, const char *format, int i) {
    char name[64];
    snprintf(name, sizeof name, format, i);
    const chl_array *a = chl_params_find(params, name);
    assert_non_null(a);
    return a->data;
}

/* one stage: x [side][side][in] -> y [half][half][out] */
static void naive_stage(const chl_params *params, int i, int side, int in, int out, const double *x,
                        double *y) {
    const float *w = data_of(params, "conv%d.weight", i),
                *gamma = data_of(params, "norm%d.weight", i);
    const float *beta = data_of(params, "norm%d.bias", i);
    const float *mean = data_of(params, "norm%d.running_mean", i);
    const float *var = data_of(params, "norm%d.running_var", i);
    const int half = (side + 1) / 2;
    for (int p = 0; p < half * half; p++)
        for (int o = 0; o < out; o++) {
            double sum = 0;
            for (int k = 0; k < 9; k++) {
                const int r = p / half * 2 + k / 3 - 1, c = p % half * 2 + k % 3 - 1;
                if (r < 0 || r >= side || c < 0 || c >= side) continue;
                for (int n = 0; n < in; n++)
                    sum += x[(r * side + c) * in + n] * w[(o * in + n) * 9 + k];
            }
            sum = (sum - mean[o]) / sqrt(var[o] + 1e-5) * gamma[o] + beta[o];
            y[p * out + o] = sum > 0 ? sum : 0;
        }
}

static void naive(const chl_params *params, const chl_judge_config *config, const float *pixels,
                  int q, double *probability) {
    double x[VALUES], a[5 * 5 * 4], b[3 * 3 * 7], total = 0;
    for (int i = 0; i < VALUES; i++) x[i] = fmax(-1, fmin(1, (double)pixels[i]));
    naive_stage(params, 0, SIDE, 3, 4, x, a);
    naive_stage(params, 1, 5, 4, 7, a, b);
    char name[64];
    snprintf(name, sizeof name, "%s.weight", chl_judge_question_name(q));
    const float *w = data_of(params, name, 0);
    snprintf(name, sizeof name, "%s.bias", chl_judge_question_name(q));
    const float *bias = data_of(params, name, 0);
    for (int c = 0; c < config->classes[q]; c++) {
        double sum = bias[c];
        for (int n = 0; n < 7; n++)
            for (int p = 0; p < 9; p++) sum += w[c * 7 + n] * b[p * 7 + n] / 9;
        probability[c] = exp(sum);
        total += probability[c];
    }
    for (int c = 0; c < config->classes[q]; c++) probability[c] /= total;
}

static void read_all(chl_params *params, const chl_judge_config *config, int n, const float *pixels,
                     chl_judge_answer *answer) {
    chl_judge_reader *reader;
    MUST(chl_judge_reader_new(chl_device_cpu(), params, config, &reader));
    MUST(chl_judge_read(reader, n, pixels, answer));
    chl_judge_reader_free(reader);
}

static void answers_are_those_of_a_naive_forward_pass(void **state) {
    (void)state;
    enum { MANY = 19 }; /* more than one batch of the reader, and a partial one */
    chl_judge_config fresh, config;
    chl_params *params = tiny(&fresh);
    disturb(params);
    MUST(chl_judge_import(params, &config));
    float *pixels = parity_formula("pixels", 0, 1.4, MANY * VALUES);
    chl_judge_answer seen[MANY];
    read_all(params, &config, MANY, pixels, seen);
    double worst = 0, spread = 0;
    for (int i = 0; i < MANY; i++)
        for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
            double want[CHL_JUDGE_CLASSES];
            naive(params, &config, pixels + i * VALUES, q, want);
            int best = 0;
            for (int c = 0; c < config.classes[q]; c++) {
                worst = fmax(worst, fabs(seen[i].probability[q][c] - want[c]));
                spread = fmax(spread, fabs(seen[i].probability[q][c] - seen[0].probability[q][c]));
                if (want[c] > want[best]) best = c;
            }
            assert_int_equal(seen[i].best[q], best);
        }
    print_message("%-48s error %.1e\n", "judge/probabilities", worst);
    assert_true(worst <= 1e-5);
    assert_true(spread > 1e-3); /* the pictures do differ */
    free(pixels);
    chl_params_free(params);
}

/* Training mode gives its statistics; a judge that has them as its running ones says the same. */
static void batch_statistics_as_running_ones_give_the_same_answers(void **state) {
    (void)state;
    chl_judge_config config;
    chl_params *params = tiny(&config);
    disturb(params);
    chl_graph *g;
    MUST(chl_graph_new(chl_device_cpu(), &g));
    chl_net net = {.graph = g, .params = params, .kind = CHL_FROZEN};
    chl_tensor x = chl_input(g, "x", chl_f32(4, PICTURES, SIDE, SIDE, 3));
    chl_tensor logits[CHL_JUDGE_QUESTIONS];
    chl_judge_statistics statistics;
    chl_judge_net(&net, &config, x, &statistics, logits);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) chl_keep(g, logits[q]);
    for (int i = 0; i < config.stages; i++) {
        chl_keep(g, statistics.mean[i]);
        chl_keep(g, statistics.var[i]);
    }
    chl_net_done(&net);
    MUST(chl_compile(g));
    float *pixels = parity_formula("pixels", 0, 0.9, PICTURES * VALUES);
    MUST(chl_write(g, x, pixels));
    MUST(chl_run(g, CHL_FIRST_SEGMENT));
    for (int i = 0; i < config.stages; i++) {
        MUST(chl_read(g, statistics.mean[i], (void *)data_of(params, "norm%d.running_mean", i)));
        MUST(chl_read(g, statistics.var[i], (void *)data_of(params, "norm%d.running_var", i)));
    }
    chl_judge_answer seen[PICTURES];
    read_all(params, &config, PICTURES, pixels, seen);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        int64_t count;
        float *trained = parity_read(g, logits[q], 1, &count);
        for (int i = 0; i < PICTURES; i++) {
            const float *row = trained + i * config.classes[q];
            double total = 0;
            for (int c = 0; c < config.classes[q]; c++) total += exp((double)row[c]);
            for (int c = 0; c < config.classes[q]; c++)
                assert_float_equal(seen[i].probability[q][c], exp((double)row[c]) / total, 1e-5);
        }
        free(trained);
    }
    free(pixels);
    chl_graph_free(g);
    chl_params_free(params);
}

static void a_file_tells_its_sizes_and_names(void **state) {
    (void)state;
    chl_judge_config fresh, config;
    chl_params *params = tiny(&fresh);
    MUST(chl_judge_import(params, &config));
    MUST(chl_params_check_all_used(params));
    assert_int_equal(config.side, SIDE);
    assert_int_equal(config.stages, 2);
    assert_int_equal(config.width[1], 7);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++)
        assert_int_equal(config.classes[q], fresh.classes[q]);
    for (int k = 0; k < 3; k++) assert_string_equal(config.kind_name[k], fresh.kind_name[k]);
    chl_params_free(params);
}

/* What is wrong with a file is said with its key. */
static void expect_error(chl_status status, const char *drop, const char *rename,
                         const char *text) {
    chl_judge_config config;
    chl_params *params = tiny(&config);
    if (rename)
        MUST(chl_params_rename(params, drop, rename));
    else
        chl_params_drop(params, drop);
    assert_int_equal(chl_judge_import(params, &config), status);
    if (!strstr(chl_error(), text)) fail_msg("\"%s\" does not say %s", chl_error(), text);
    chl_params_free(params);
}

static void a_damaged_file_is_refused_with_the_array_named(void **state) {
    (void)state;
    expect_error(CHL_ERR_KEY, "input.side", NULL, "input.side");
    expect_error(CHL_ERR_KEY, "conv0.weight", NULL, "conv0.weight");
    expect_error(CHL_ERR_KEY, "norm1.running_var", NULL, "norm1.running_var");
    expect_error(CHL_ERR_KEY, "house.weight", NULL, "house.weight");
    expect_error(CHL_ERR_KEY, "kind_name.1.church bell", NULL, "kind_name.1.");
    expect_error(CHL_ERR_FORMAT, "kind_name.1.church bell", "kind_name.3.church bell", "3.church");
    expect_error(CHL_ERR_FORMAT, "kind_name.1.church bell", "kind_name.0.church bell", "0.church");
    /* without the second stage the heads do not fit */
    expect_error(CHL_ERR_SHAPE, "conv1.weight", "other", "kind.weight");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_a_naive_forward_pass),
        cmocka_unit_test(batch_statistics_as_running_ones_give_the_same_answers),
        cmocka_unit_test(a_file_tells_its_sizes_and_names),
        cmocka_unit_test(a_damaged_file_is_refused_with_the_array_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
