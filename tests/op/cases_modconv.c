#include "harness/op_case.h"

DECLARE_REFERENCE(modconv)

static int build_modconv(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    out[0] = chl_modulated_conv(g, in[0], in[1], in[2], in[3], in[4], in[5], c->settings);
    return 1;
}

/* Unit-scale weights: after demodulation values are of order 1 before the gain, so a clamp at 1.5
 * cuts some of them. */
static const chl_modconv ada = {.gain = 1, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.4142135f};
static const chl_modconv rosinality = {
    .gain = 0.059f, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.4142135f};
static const chl_modconv clamped = {
    .gain = 0.7f, .eps = 0.3f, .slope = 0.2f, .act_gain = 1.4142135f, .clamp = 1.5f};
static const chl_modconv linear = {.gain = 1, .eps = 1e-8f, .slope = 1, .act_gain = 1};
static const chl_modconv up = {
    .up = true, .gain = 1, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.4142135f};
static const chl_modconv up_clamped = {
    .up = true, .gain = 0.31f, .eps = 0.2f, .slope = 0.2f, .act_gain = 1.4142135f, .clamp = 0.8f};

static const chl_modconv up_linear = {
    .up = true, .gain = 0.31f, .eps = 0.2f, .slope = 1, .act_gain = 1};

/* In bf16 a value near the leaky ReLU's kink, or near the clamp, may come out on the other side of
 * it, where the gradient is another one: tight are the cases without either. */
#define HALF_ada 0.5
#define HALF_rosinality 0.5
#define HALF_clamped 0.5
#define HALF_up 0.5
#define HALF_up_clamped 0.5
#define HALF_linear 0.03
#define HALF_up_linear 0.03

/* `each` is the number of noise pictures, 0 = one [H',W'] for all */
#define MODCONV(label_, settings_, scale, n, h, w, i, o, weight_gradient, noise, each, bias)       \
    {                                                                                              \
        .name = "modconv", .label = label_, .build = build_modconv, REFERENCE_OF(modconv),         \
        .settings = &settings_, .half_tolerance = HALF_##settings_, .inputs = 6, .in = {           \
            {.desc = {CHL_F32, 4, {n, h, w, i}},                                                   \
             .fill = FILL_NORMAL,                                                                  \
             .gradient = true,                                                                     \
             .half = true},                                                                        \
            {.desc = {CHL_F32, 4, {o, i, 3, 3}},                                                   \
             .fill = FILL_NORMAL,                                                                  \
             .gradient = weight_gradient},                                                         \
            {.desc = {CHL_F32, 2, {n, i}}, .fill = FILL_NORMAL, .gradient = true},                 \
            {.desc = {CHL_F32,                                                                     \
                      (each) ? 3 : 2,                                                              \
                      {(each) ? (each) : (scale) * (h), (scale) * ((each) ? (h) : (w)),            \
                       (each) ? (scale) * (w) : 0}},                                               \
             .fill = noise},                                                                       \
            {.desc = {CHL_F32, 1, {1}}, .fill = noise, .gradient = true},                          \
            {.desc = {CHL_F32, 1, {o}}, .fill = bias, .gradient = true},                           \
        }                                                                                          \
    }

static const op_case cases[] = {
    MODCONV("one of everything", clamped, 1, 1, 1, 1, 1, 1, true, FILL_NORMAL, 0, FILL_NORMAL),
    MODCONV("the first layer's map", rosinality, 1, 1, 4, 4, 32, 48, true, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("odd sizes, two styles", clamped, 1, 2, 5, 3, 7, 9, true, FILL_NORMAL, 2, FILL_NORMAL),
    MODCONV("no noise, no bias", ada, 1, 2, 6, 5, 16, 17, true, FILL_ABSENT, 0, FILL_ABSENT),
    MODCONV("linear", linear, 1, 1, 7, 4, 5, 3, true, FILL_NORMAL, 0, FILL_ABSENT),
    MODCONV("tiles", rosinality, 1, 1, 16, 16, 16, 32, true, FILL_NORMAL, 0, FILL_NORMAL),
    MODCONV("tiles, odd sizes, clamped, two styles", clamped, 1, 2, 13, 14, 18, 17, true,
            FILL_NORMAL, 2, FILL_NORMAL),
    MODCONV("tiles, frozen weight, no noise", ada, 1, 1, 17, 16, 16, 19, false, FILL_ABSENT, 0,
            FILL_NORMAL),
    MODCONV("tiles, more than a block", clamped, 1, 3, 32, 28, 16, 16, false, FILL_NORMAL, 0,
            FILL_ABSENT),
    MODCONV("up, one of everything", up_clamped, 2, 1, 1, 1, 1, 1, true, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("up, the first layer's map", up, 2, 1, 4, 4, 32, 16, true, FILL_NORMAL, 0, FILL_NORMAL),
    MODCONV("up, odd sizes, clamped, two styles", up_clamped, 2, 2, 5, 3, 7, 9, true, FILL_NORMAL,
            2, FILL_NORMAL),
    MODCONV("up, no noise, no bias", up, 2, 2, 3, 6, 17, 20, true, FILL_ABSENT, 0, FILL_ABSENT),
    MODCONV("up, several bands", up_clamped, 2, 1, 20, 64, 3, 100, false, FILL_NORMAL, 1,
            FILL_NORMAL),
    MODCONV("up, several chunks, two styles", up, 2, 2, 7, 40, 17, 19, true, FILL_ABSENT, 0,
            FILL_ABSENT),
    MODCONV("up, a weight gradient shared by threads", up, 2, 23, 3, 3, 104, 36, true, FILL_ABSENT,
            0, FILL_ABSENT),
    MODCONV("up, tiles, odd sizes", up_clamped, 2, 2, 14, 13, 18, 17, true, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("up, tiles, full vectors", up, 2, 1, 16, 16, 16, 16, true, FILL_NORMAL, 0, FILL_NORMAL),
    MODCONV("up, tiles, several bands", up, 2, 1, 57, 60, 16, 16, false, FILL_NORMAL, 1,
            FILL_ABSENT),
    MODCONV("linear, tensor cores, one tile", linear, 1, 2, 6, 5, 16, 24, true, FILL_NORMAL, 2,
            FILL_NORMAL),
    MODCONV("linear, tensor cores, several tiles", linear, 1, 2, 9, 8, 72, 72, true, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("linear, tensor cores, few channels", linear, 1, 1, 13, 11, 40, 24, true, FILL_ABSENT,
            0, FILL_NORMAL),
    MODCONV("linear, boxes, odd sizes, two styles", linear, 1, 2, 7, 15, 64, 128, true, FILL_NORMAL,
            2, FILL_NORMAL),
    MODCONV("linear, boxes, two a picture", linear, 1, 1, 7, 30, 128, 64, false, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("linear, boxes, half a tile of channels", linear, 1, 1, 7, 15, 64, 192, false,
            FILL_ABSENT, 0, FILL_NORMAL),
    MODCONV("linear, boxes, parts", linear, 1, 1, 7, 15, 192, 64, false, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("linear, boxes of 256 channels", linear, 1, 2, 7, 11, 64, 256, false, FILL_NORMAL, 2,
            FILL_NORMAL),
    MODCONV("linear, boxes of 256 channels of x", linear, 1, 2, 7, 11, 256, 64, false, FILL_ABSENT,
            0, FILL_ABSENT),
    MODCONV("up, linear, boxes, two styles", up_linear, 2, 2, 7, 15, 128, 64, false, FILL_NORMAL, 2,
            FILL_NORMAL),
    MODCONV("up, linear, boxes, two a picture", up_linear, 2, 1, 11, 15, 64, 128, false,
            FILL_NORMAL, 0, FILL_ABSENT),
    MODCONV("up, linear, filter on the tile", up_linear, 2, 2, 11, 19, 48, 24, true, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("up, linear, tensor cores", up_linear, 2, 2, 5, 4, 24, 16, true, FILL_NORMAL, 0,
            FILL_NORMAL),
    MODCONV("up, linear, tensor cores, several tiles", up_linear, 2, 1, 9, 8, 72, 80, true,
            FILL_NORMAL, 0, FILL_NORMAL),
    MODCONV("up, linear, odd channels", up_linear, 2, 2, 3, 4, 7, 9, true, FILL_NORMAL, 0,
            FILL_NORMAL),
};
OP_CASES(modconv, cases)
