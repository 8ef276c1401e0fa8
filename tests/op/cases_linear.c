#include "harness/op_case.h"
#include "reference/sequence_settings.h"

DECLARE_REFERENCE(linear)

static int build(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const linear_settings *s = c->settings;
    chl_tensor w = c->inputs > 1 ? in[1] : in[0], b = c->inputs > 2 ? in[2] : CHL_NONE;
    out[0] = chl_linear_gain(g, in[0], w, b, s->gain, s->bias_gain);
    return 1;
}

/* as a frozen weight is used */
static int build_packed(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const linear_settings *s = c->settings;
    out[0] =
        chl_linear_packed(g, in[0], in[1], c->inputs > 2 ? in[2] : CHL_NONE, s->gain, s->bias_gain);
    return 1;
}

static const linear_settings plain = {1, 1}, scaled = {0.125f, 0.01f};

#define X(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true }
/* an activation */
#define H(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true, .half = true }
#define CASE(label_, settings_, inputs_, ...)                                                      \
    CASE_BUILT(build, label_, settings_, inputs_, __VA_ARGS__)
#define CASE_BUILT(build_, label_, settings_, inputs_, ...)                                        \
    {                                                                                              \
        .name = "linear", .label = label_, .build = build_, REFERENCE_OF(linear),                  \
        .settings = settings_, .half_tolerance = 0.03, .inputs = inputs_, .in = {                  \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const op_case cases[] = {
    CASE("odd sizes", &plain, 3, H(2, {5, 7}), X(2, {3, 7}), X(1, {3})),
    CASE("one of everything", &plain, 3, H(1, {1}), X(2, {1, 1}), X(1, {1})),
    CASE("sequence", &plain, 3, H(3, {2, 9, 33}), X(2, {50, 33}), X(1, {50})),
    CASE("map, no bias", &plain, 2, H(4, {2, 3, 3, 16}), X(2, {32, 16})),
    CASE("gains", &scaled, 3, H(2, {6, 21}), X(2, {70, 21}), X(1, {70})),
    CASE("several blocks", &plain, 3, H(2, {1100, 20}), X(2, {35, 20}), X(1, {35})),
    CASE("several blocks, no bias", &scaled, 2, H(2, {1029, 5}), X(2, {67, 5})),
    CASE("long rows", &plain, 3, H(2, {3, 700}), X(2, {130, 700}), X(1, {130})),
    CASE("few rows, whole vectors", &scaled, 3, H(2, {48, 37}), X(2, {101, 37}), X(1, {101})),
    CASE("few rows, long", &plain, 3, H(2, {9, 1100}), X(2, {50, 1100}), X(1, {50})),
    CASE("x x^T", &plain, 1, X(2, {9, 13})),
    CASE_BUILT(build_packed, "packed, odd", &plain, 3, H(2, {5, 7}), X(2, {3, 7}), X(1, {3})),
    CASE_BUILT(build_packed, "packed, one", &plain, 3, H(1, {1}), X(2, {1, 1}), X(1, {1})),
    CASE_BUILT(build_packed, "packed, gains", &scaled, 3, H(3, {2, 25, 70}), X(2, {101, 70}),
               X(1, {101})),
    CASE_BUILT(build_packed, "packed, no bias", &scaled, 2, H(2, {50, 64}), X(2, {96, 64})),
    CASE_BUILT(build_packed, "packed, two blocks of rows", &plain, 3, H(2, {101, 35}),
               X(2, {38, 35}), X(1, {38})),
    CASE_BUILT(build_packed, "packed, two runs", &scaled, 3, H(2, {3, 530}), X(2, {520, 530}),
               X(1, {520})),
};
OP_CASES(linear, cases)
