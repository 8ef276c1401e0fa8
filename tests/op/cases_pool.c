#include "harness/op_case.h"

DECLARE_REFERENCE(mean_pool)
DECLARE_REFERENCE(max_pool)

static int build_mean(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_mean_pool(g, in[0]);
    return 1;
}
static int build_max(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_max_pool(g, in[0], a->pool.kernel, a->pool.stride, a->pool.pad);
    return 1;
}

static const chl_attributes resnet = {.pool = {.kernel = 3, .stride = 2, .pad = 1}};
static const chl_attributes halves = {.pool = {.kernel = 2, .stride = 2}};
static const chl_attributes every_second = {.pool = {.kernel = 1, .stride = 2}};
static const chl_attributes overlapping = {.pool = {.kernel = 3, .stride = 1, .pad = 1}};
static const chl_attributes covering = {.pool = {.kernel = 14, .stride = 14, .pad = 7}};
static const chl_attributes identity = {.pool = {.kernel = 1, .stride = 1}};

#define MEAN(label_, ...)                                                                          \
    {                                                                                              \
        .name = "mean_pool", .label = label_, .build = build_mean, REFERENCE_OF(mean_pool),        \
        .inputs = 1, .in = {                                                                       \
            {.desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true, .half = true}  \
        }                                                                                          \
    }
#define MAX(label_, settings_, n, h, w, c)                                                         \
    {                                                                                              \
        .name = "max_pool", .label = label_, .build = build_max, REFERENCE_OF(max_pool),           \
        .inputs = 1,                                                                               \
        .in = {{.desc = {CHL_F32, 4, {n, h, w, c}},                                                \
                .fill = FILL_NORMAL,                                                               \
                .gradient = true,                                                                  \
                .half = true}},                                                                    \
        .settings = &settings_                                                                     \
    }

static const op_case cases[] = {
    MEAN("a map", 4, {2, 14, 9, 64}),
    MEAN("tokens, odd sizes", 3, {3, 49, 37}),
    MEAN("many pixels of few channels", 4, {2, 40, 30, 3}),
    MEAN("nothing between", 2, {5, 17}),
    MEAN("one of everything", 4, {1, 1, 1, 1}),
    MAX("ResNet's stem", resnet, 2, 12, 10, 32),
    MAX("odd sizes, windows overlap at the ends", resnet, 1, 7, 9, 19),
    MAX("halving leaves a row over", halves, 2, 9, 6, 17),
    MAX("sub-sampling an odd map", every_second, 2, 7, 9, 21),
    MAX("sub-sampling an even map", every_second, 1, 8, 6, 16),
    MAX("every pixel in nine windows", overlapping, 1, 5, 6, 3),
    MAX("nine windows, whole vectors", overlapping, 2, 4, 5, 24),
    MAX("a window that covers the map from beyond its corner", covering, 3, 7, 1, 5),
    MAX("one of everything", identity, 1, 1, 1, 1),
};
OP_CASES(pool, cases)
