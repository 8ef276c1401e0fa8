#include "harness/op_case.h"
#include "reference/sequence_settings.h"

DECLARE_REFERENCE(layer_norm)
DECLARE_REFERENCE(row_norm)

static int build_layer_norm(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const norm_settings *s = c->settings;
    out[0] = chl_layer_norm(g, in[0], in[1], in[2], s->eps);
    return 1;
}
static int build_row_norm(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const norm_settings *s = c->settings;
    out[0] = chl_row_norm(g, in[0], s->kind, s->eps);
    return 1;
}

static const norm_settings usual = {1e-5f, CHL_NORM_L2}, wide = {0.1f, CHL_NORM_L2},
                           l2 = {1e-12f, CHL_NORM_L2}, longer = {100, CHL_NORM_L2},
                           rms = {1e-8f, CHL_NORM_RMS}, rms_wide = {0.5f, CHL_NORM_RMS};

#define X(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true }
/* an activation */
#define H(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true, .half = true }
/* The gradient is 0, and rounding noise has nothing to be compared with. */
#define FLAT(...)                                                                                  \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .half = true }
#define NORM(label_, settings_, ...)                                                               \
    {                                                                                              \
        .name = "layer_norm", .label = label_, .build = build_layer_norm,                          \
        REFERENCE_OF(layer_norm), .settings = settings_, .inputs = 3, .in = {                      \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define ROW(label_, settings_, ...)                                                                \
    {                                                                                              \
        .name = "row_norm", .label = label_, .build = build_row_norm, REFERENCE_OF(row_norm),      \
        .settings = settings_, .inputs = 1, .in = {                                                \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const op_case cases[] = {
    NORM("odd", &usual, H(3, {2, 5, 19}), X(1, {19}), X(1, {19})),
    NORM("two numbers a row, large eps", &wide, H(2, {7, 2}), X(1, {2}), X(1, {2})),
    NORM("one number a row", &wide, FLAT(2, {3, 1}), X(1, {1}), X(1, {1})),
    NORM("whole vectors", &usual, H(4, {2, 3, 3, 96}), X(1, {96}), X(1, {96})),
    NORM("several parts", &usual, H(2, {530, 40}), X(1, {40}), X(1, {40})),
    NORM("half a warp a row, rows left over", &usual, H(2, {2500, 24}), X(1, {24}), X(1, {24})),
    NORM("a warp, all lanes", &usual, H(2, {11, 256}), X(1, {256}), X(1, {256})),
    NORM("two packs a lane", &usual, H(2, {5, 328}), X(1, {328}), X(1, {328})),
    NORM("three packs a lane", &usual, H(2, {7, 768}), X(1, {768}), X(1, {768})),
    NORM("the longest row that registers hold", &usual, H(2, {9, 1024}), X(1, {1024}),
         X(1, {1024})),
    NORM("a block a row", &usual, H(2, {40, 1536}), X(1, {1536}), X(1, {1536})),
    NORM("a block a row, odd", &wide, H(2, {3, 1031}), X(1, {1031}), X(1, {1031})),

    ROW("L2, odd", &l2, X(2, {5, 7})),
    ROW("L2, embeddings", &l2, X(2, {6, 512})),
    ROW("L2, one number a row", &wide, X(2, {3, 1})),
    ROW("L2, shorter than eps", &longer, X(2, {4, 21})),
    ROW("RMS, odd", &rms, X(3, {2, 3, 37})),
    ROW("RMS, large eps", &rms_wide, X(2, {1, 17})),
    ROW("RMS in parallel", &rms, X(2, {40, 512})),
};
OP_CASES(norm, cases)
