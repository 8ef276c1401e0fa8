#include "harness/op_case.h"
#include <math.h>

DECLARE_REFERENCE(channel_affine)
DECLARE_REFERENCE(channel_scale)
DECLARE_REFERENCE(prelu)
DECLARE_REFERENCE(batch_norm)
DECLARE_REFERENCE(batch_norm_train)

static int build_affine(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_channel_affine(g, in[0], in[1], in[2], a->channel_affine.lowest,
                                a->channel_affine.highest);
    return 1;
}
static int build_scale(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_channel_scale(g, in[0], in[1]);
    return 1;
}
static int build_prelu(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_prelu(g, in[0], in[1]);
    return 1;
}
static int build_norm(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_batch_norm(g, in[0], in[1], in[2], in[3], in[4], a->norm.eps);
    return 1;
}
static int build_norm_train(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_batch_norm_train(g, in[0], in[1], in[2], a->norm.eps, &out[1], &out[2]);
    return 3;
}

static const chl_attributes clamped = {.channel_affine = {-0.7f, 0.9f}};
static const chl_attributes open = {.channel_affine = {-INFINITY, INFINITY}};
static const chl_attributes eps = {.norm = {.eps = 1e-5f}};
static const chl_attributes large_eps = {.norm = {.eps = 0.3f}};

#define SHAPE(...) __VA_ARGS__
#define VECTOR(n, fill_, gradient_)                                                                \
    { .desc = {CHL_F32, 1, {n}}, .fill = fill_, .gradient = gradient_ }
/* In bf16 the results, products of normals, are rounded by up to 1/512 of themselves: some are 12
 * rms. */
#define HALF_TOLERANCE .half_tolerance = 0.04
/* an activation */
#define INPUT(shape, fill_)                                                                        \
    { .desc = {CHL_F32, shape}, .fill = fill_, .gradient = true, .half = true }

#define AFFINE(label_, shape, channels, settings_)                                                 \
    {                                                                                              \
        .name = "channel_affine", .label = label_, HALF_TOLERANCE, .build = build_affine,          \
        REFERENCE_OF(channel_affine), .inputs = 3, .settings = &settings_, .in = {                 \
            INPUT(SHAPE(shape), FILL_NORMAL),                                                      \
            VECTOR(channels, FILL_NORMAL, false),                                                  \
            VECTOR(channels, FILL_NORMAL, false),                                                  \
        }                                                                                          \
    }
#define SCALE(label_, shape, samples, channels)                                                    \
    {                                                                                              \
        .name = "channel_scale", .label = label_, HALF_TOLERANCE, .build = build_scale,            \
        REFERENCE_OF(channel_scale), .inputs = 2, .in = {                                          \
            INPUT(SHAPE(shape), FILL_NORMAL),                                                      \
            INPUT(SHAPE(2, {samples, channels}), FILL_NORMAL),                                     \
        }                                                                                          \
    }
#define PRELU(label_, shape, channels)                                                             \
    {                                                                                              \
        .name = "prelu", .label = label_, HALF_TOLERANCE, .build = build_prelu,                    \
        REFERENCE_OF(prelu), .inputs = 2, .in = {                                                  \
            INPUT(SHAPE(shape), FILL_APART),                                                       \
            VECTOR(channels, FILL_NORMAL, true),                                                   \
        }                                                                                          \
    }
#define NORM(label_, shape, channels, settings_)                                                   \
    {                                                                                              \
        .name = "batch_norm", .label = label_, HALF_TOLERANCE, .build = build_norm,                \
        REFERENCE_OF(batch_norm), .inputs = 5, .settings = &settings_, .in = {                     \
            INPUT(SHAPE(shape), FILL_NORMAL),                                                      \
            VECTOR(channels, FILL_NORMAL, true),                                                   \
            VECTOR(channels, FILL_NORMAL, true),                                                   \
            VECTOR(channels, FILL_NORMAL, false),                                                  \
            VECTOR(channels, FILL_POSITIVE, false),                                                \
        }                                                                                          \
    }
#define NORM_TRAIN(label_, shape, channels, settings_)                                             \
    {                                                                                              \
        .name = "batch_norm_train", .label = label_, HALF_TOLERANCE, .build = build_norm_train,    \
        REFERENCE_OF(batch_norm_train), .inputs = 3, .settings = &settings_, .in = {               \
            INPUT(SHAPE(shape), FILL_NORMAL),                                                      \
            VECTOR(channels, FILL_NORMAL, true),                                                   \
            VECTOR(channels, FILL_NORMAL, true),                                                   \
        }                                                                                          \
    }

static const op_case cases[] = {
    AFFINE("a picture", SHAPE(4, {2, 9, 11, 3}), 3, clamped),
    AFFINE("a picture of odd sizes", SHAPE(4, {1, 7, 5, 3}), 3, clamped),
    AFFINE("wide channels", SHAPE(4, {2, 5, 3, 37}), 37, clamped),
    AFFINE("no clamp, full vectors", SHAPE(3, {3, 7, 32}), 32, open),
    AFFINE("one of everything", SHAPE(2, {1, 1}), 1, open),
    SCALE("full vectors", SHAPE(4, {2, 9, 5, 64}), 2, 64),
    SCALE("odd sizes", SHAPE(4, {3, 7, 11, 19}), 3, 19),
    SCALE("few channels", SHAPE(3, {2, 40, 3}), 2, 3),
    SCALE("nothing between", SHAPE(2, {3, 17}), 3, 17),
    SCALE("many samples of few pixels", SHAPE(3, {70, 2, 24}), 70, 24),
    SCALE("one of everything", SHAPE(4, {1, 1, 1, 1}), 1, 1),
    PRELU("full vectors", SHAPE(4, {2, 13, 6, 64}), 64),
    PRELU("odd sizes", SHAPE(4, {1, 7, 9, 21}), 21),
    PRELU("few channels", SHAPE(3, {2, 90, 5}), 5),
    PRELU("several parts", SHAPE(4, {2, 40, 35, 16}), 16),
    PRELU("one of everything", SHAPE(2, {1, 1}), 1),
    NORM("full vectors", SHAPE(4, {2, 11, 8, 64}), 64, eps),
    NORM("odd sizes", SHAPE(4, {3, 5, 7, 23}), 23, large_eps),
    NORM("few channels", SHAPE(2, {70, 3}), 3, eps),
    NORM("several parts", SHAPE(3, {2, 1100, 16}), 16, eps),
    NORM("one of everything", SHAPE(4, {1, 1, 1, 1}), 1, eps),
    NORM_TRAIN("full vectors", SHAPE(4, {4, 14, 10, 64}), 64, eps),
    NORM_TRAIN("odd sizes", SHAPE(4, {3, 13, 7, 23}), 23, large_eps),
    NORM_TRAIN("many blocks of few channels", SHAPE(3, {5, 4000, 3}), 3, eps),
    NORM_TRAIN("two rows", SHAPE(2, {2, 18}), 18, large_eps),
    NORM_TRAIN("one of everything", SHAPE(4, {1, 1, 1, 1}), 1, eps),
};
OP_CASES(channel, cases)
