#include "graph/rule.h"
#include "harness/op_case.h"

DECLARE_REFERENCE(weight_square)
DECLARE_REFERENCE(demodulate)
DECLARE_REFERENCE(torgb)
DECLARE_REFERENCE(upsample_fir)

static int build_square(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_emit1(g, CHL_OP_weight_square, NULL, 1, in);
    return 1;
}
static int build_demodulate(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    out[0] = chl_emit1(g, CHL_OP_demodulate, c->settings, 2, in);
    return 1;
}
static int build_torgb(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_to_rgb(g, in[0], in[1], in[2], in[3], a->conv.gain, a->conv.clamp);
    return 1;
}
static int build_upsample(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_upsample_fir(g, in[0], in[1]);
    return 1;
}

static const chl_attributes ada = {.demodulate = {.eps = 1e-8f, .gain = 1}};
static const chl_attributes rosinality = {.demodulate = {.eps = 0.2f, .gain = 0.31f}};
static const chl_attributes free_rgb = {.conv = {.gain = 1}};
static const chl_attributes clamped_rgb = {.conv = {.gain = 0.3f, .clamp = 0.8f}};

#define GRADIENT(fill_, ...)                                                                       \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = fill_, .gradient = true }
/* an activation */
#define H(fill_, ...)                                                                              \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = fill_, .gradient = true, .half = true }

#define SQUARE(label_, o, i, k)                                                                    \
    {                                                                                              \
        .name = "weight_square", .label = label_, .build = build_square,                           \
        REFERENCE_OF(weight_square), .inputs = 1, .in = {                                          \
            GRADIENT(FILL_NORMAL, 4, {o, i, k, k})                                                 \
        }                                                                                          \
    }
#define DEMODULATE(label_, settings_, n, i, o)                                                     \
    {                                                                                              \
        .name = "demodulate", .label = label_, .build = build_demodulate,                          \
        REFERENCE_OF(demodulate), .inputs = 2, .settings = &settings_, .in = {                     \
            GRADIENT(FILL_NORMAL, 2, {n, i}),                                                      \
            GRADIENT(FILL_POSITIVE, 2, {o, i}),                                                    \
        }                                                                                          \
    }
#define TORGB(label_, settings_, n, h, w, i, o)                                                    \
    {                                                                                              \
        .name = "torgb", .label = label_, .build = build_torgb, REFERENCE_OF(torgb), .inputs = 4,  \
        .settings = &settings_, .in = {                                                            \
            H(FILL_NORMAL, 4, {n, h, w, i}),                                                       \
            GRADIENT(FILL_NORMAL, 2, {o, i}),                                                      \
            GRADIENT(FILL_NORMAL, 2, {n, i}),                                                      \
            GRADIENT(FILL_NORMAL, 1, {o}),                                                         \
        }                                                                                          \
    }
#define UPSAMPLE(label_, residual, n, h, w, c)                                                     \
    {                                                                                              \
        .name = "upsample_fir", .label = label_, .build = build_upsample,                          \
        REFERENCE_OF(upsample_fir), .inputs = 2, .in = {                                           \
            GRADIENT(FILL_NORMAL, 4, {n, h, w, c}),                                                \
            GRADIENT(residual, 4, {n, 2 * (h), 2 * (w), c}),                                       \
        }                                                                                          \
    }

static const op_case cases[] = {
    SQUARE("3x3", 16, 24, 3),
    SQUARE("odd sizes", 7, 5, 3),
    SQUARE("1x1", 9, 33, 1),
    SQUARE("one of everything", 1, 1, 1),
    DEMODULATE("ada", ada, 2, 64, 48),
    DEMODULATE("gain on the weight", rosinality, 3, 32, 16),
    DEMODULATE("odd sizes", rosinality, 2, 37, 21),
    DEMODULATE("one of everything", ada, 1, 1, 1),
    TORGB("a picture", free_rgb, 2, 8, 8, 64, 3),
    TORGB("clamped", clamped_rgb, 2, 8, 6, 32, 3),
    TORGB("odd sizes, clamped", clamped_rgb, 3, 7, 5, 19, 3),
    TORGB("many parts", free_rgb, 1, 40, 33, 16, 3),
    TORGB("eight output channels", clamped_rgb, 1, 6, 5, 17, 8),
    TORGB("one of everything", free_rgb, 1, 1, 1, 1, 1),
    UPSAMPLE("a picture and what is added to it", FILL_NORMAL, 2, 8, 6, 3),
    UPSAMPLE("alone", FILL_ABSENT, 1, 5, 9, 3),
    UPSAMPLE("odd sizes, many channels", FILL_NORMAL, 2, 3, 7, 19),
    UPSAMPLE("full vectors", FILL_ABSENT, 1, 4, 4, 32),
    UPSAMPLE("more rows than parts", FILL_NORMAL, 2, 41, 2, 1),
    UPSAMPLE("one of everything", FILL_ABSENT, 1, 1, 1, 1),
};
OP_CASES(pixel_path, cases)
