#include "graph/rule.h"
#include "harness/op_case.h"

DECLARE_REFERENCE(filtered_lrelu)

static int build_filtered(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    out[0] = chl_emit1(g, CHL_OP_filtered_lrelu, c->settings, 4, in);
    return 1;
}

#define SETTINGS_OF(name, up_, down_, before_, after_, gain_, slope_, clamp_)                      \
    static const chl_attributes name = {.filtered = {.up = (up_),                                  \
                                                     .down = (down_),                              \
                                                     .before = (before_),                          \
                                                     .after = (after_),                            \
                                                     .gain = (gain_),                              \
                                                     .slope = (slope_),                            \
                                                     .clamp = (clamp_)}};
SETTINGS_OF(same_rate, 2, 2, 9, 8, 1.41421356f, 0.2f, 0)
SETTINGS_OF(clamped, 2, 2, 9, 8, 1.41421356f, 0.2f, 20)
SETTINGS_OF(to_double, 4, 2, 14, 12, 1.41421356f, 0.2f, 30)
SETTINGS_OF(to_half, 2, 4, 3, 2, 1, 0.1f, 0)
SETTINGS_OF(cropped, 2, 2, -3, -2, 1.41421356f, 0.2f, 256)
SETTINGS_OF(pointwise, 1, 1, 0, 0, 1, 1, 0.7f)
SETTINGS_OF(up_alone, 3, 1, 2, 2, 2, 0.2f, 0)
SETTINGS_OF(down_alone, 1, 3, 1, 0, 1, 0.2f, 0)

#define CONSTANT(fill_, ...)                                                                       \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = fill_ }
/* in bf16 a number is rounded by up to 1/256, and the largest is 8 times the rms */
#define CASE_BIAS(bias_gradient, label_, settings_, n, h, w, c, up_fill, up_taps, down_fill, ...)  \
    {                                                                                              \
        .name = "filtered_lrelu", .label = label_, .build = build_filtered,                        \
        REFERENCE_OF(filtered_lrelu), .inputs = 4, .settings = &settings_, .half_tolerance = 0.03, \
        .in = {                                                                                    \
            {.desc = {CHL_F32, 4, {n, h, w, c}},                                                   \
             .fill = FILL_NORMAL,                                                                  \
             .gradient = true,                                                                     \
             .half = true},                                                                        \
            {.desc = {CHL_F32, 1, {c}}, .fill = FILL_NORMAL, .gradient = (bias_gradient)},         \
            CONSTANT(up_fill, 1, {up_taps}),                                                       \
            CONSTANT(down_fill, __VA_ARGS__),                                                      \
        }                                                                                          \
    }

#define CASE(...) CASE_BIAS(true, __VA_ARGS__)

static const op_case cases[] = {
    CASE("a layer of one rate", same_rate, 2, 6, 5, 3, FILL_NORMAL, 12, FILL_NORMAL, 1, {12}),
    CASE("a layer of one rate, clamped", clamped, 1, 7, 4, 19, FILL_NORMAL, 12, FILL_NORMAL, 1,
         {12}),
    CASE("a layer that doubles the rate", to_double, 1, 4, 5, 2, FILL_NORMAL, 24, FILL_NORMAL, 1,
         {12}),
    CASE("a filter with two axes, clamped", clamped, 2, 5, 6, 4, FILL_NORMAL, 12, FILL_NORMAL, 2,
         {12, 12}),
    CASE("a filter with two axes that doubles the rate", to_double, 1, 5, 3, 1, FILL_NORMAL, 24,
         FILL_NORMAL, 2, {12, 12}),
    CASE("lower rate, odd taps", to_half, 1, 6, 7, 3, FILL_NORMAL, 5, FILL_NORMAL, 1, {7}),
    CASE("lower rate, odd taps on two axes", to_half, 1, 6, 7, 3, FILL_NORMAL, 5, FILL_NORMAL, 2,
         {7, 7}),
    CASE("cropped", cropped, 1, 9, 11, 3, FILL_NORMAL, 4, FILL_NORMAL, 1, {6}),
    CASE_BIAS(false, "a frozen bias", cropped, 1, 8, 9, 2, FILL_NORMAL, 4, FILL_NORMAL, 1, {6}),
    CASE("no filters", pointwise, 2, 3, 5, 17, FILL_ABSENT, 1, FILL_ABSENT, 1, {1}),
    CASE("up alone", up_alone, 1, 4, 3, 2, FILL_NORMAL, 4, FILL_ABSENT, 1, {1}),
    CASE("down alone", down_alone, 1, 8, 9, 2, FILL_ABSENT, 1, FILL_NORMAL, 1, {4}),
    CASE("more rows than a strip or a tile", same_rate, 1, 44, 3, 1, FILL_NORMAL, 4, FILL_NORMAL, 1,
         {4}),
    CASE("more columns than a tile", same_rate, 1, 3, 21, 33, FILL_NORMAL, 4, FILL_NORMAL, 1, {4}),
    CASE("one of everything", pointwise, 1, 1, 1, 1, FILL_ABSENT, 1, FILL_ABSENT, 1, {1}),
};
OP_CASES(filtered, cases)
