#include "graph/rule.h"
#include "harness/op_case.h"
#include "reference/sequence_settings.h"

DECLARE_REFERENCE(cast)
DECLARE_REFERENCE(sum)
DECLARE_REFERENCE(add_bias)
DECLARE_REFERENCE(mul)
DECLARE_REFERENCE(activation)
DECLARE_REFERENCE(scale_by)
DECLARE_REFERENCE(mean)
DECLARE_REFERENCE(drop_path)

/* A result of a node in place of an input: the op may then work in place. */
static chl_tensor fresh(chl_graph *g, chl_tensor x) {
    return chl_scale(g, x, 1);
}

/* there and back, whatever precision the graph has */
static int build_cast(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes to_half = {.like = {.dtype = CHL_BF16}};
    (void)c;
    out[0] = chl_to_float32(g, chl_emit1(g, CHL_OP_cast, &to_half, 1, &in[0]));
    return 1;
}
static int build_sum(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const sum_settings *s = c->settings;
    chl_tensor x[CHL_MAX_IN];
    for (int i = 0; i < s->count; i++) x[i] = in[s->same ? 0 : i];
    out[0] = chl_sum(g, s->bias, s->count, s->c, x);
    return 1;
}
static int build_add(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_add(g, fresh(g, in[0]), in[1]);
    return 1;
}
static int build_add_bias(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_add_bias(g, in[0], in[1]);
    return 1;
}
static int build_add_bias_in_place(chl_graph *g, const op_case *c, const chl_tensor *in,
                                   chl_tensor *out) {
    (void)c;
    out[0] = chl_add_bias(g, fresh(g, in[0]), in[1]);
    return 1;
}
static int build_mul(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    out[0] = chl_mul(g, in[0], in[c->inputs > 1 ? 1 : 0]);
    return 1;
}
static int build_mul_in_place(chl_graph *g, const op_case *c, const chl_tensor *in,
                              chl_tensor *out) {
    (void)c;
    out[0] = chl_mul(g, fresh(g, in[0]), in[1]);
    return 1;
}
static int build_activation(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const activation_settings *s = c->settings;
    const chl_tensor x = s->scale != 0 ? chl_scale(g, in[0], s->scale) : in[0];
    const chl_tensor y = chl_activate(g, x, s->kind, s->slope);
    out[0] = s->residual ? chl_add(g, in[0], y) : y;
    return 1;
}
static int build_activation_in_place(chl_graph *g, const op_case *c, const chl_tensor *in,
                                     chl_tensor *out) {
    const activation_settings *s = c->settings;
    out[0] = fresh(g, chl_activate(g, fresh(g, in[0]), s->kind, s->slope));
    return 1;
}
static int build_scale_by(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const scale_by_settings *s = c->settings;
    out[0] = chl_scale_by(g, in[0], in[1], s->most);
    return 1;
}
static int build_scale_by_in_place(chl_graph *g, const op_case *c, const chl_tensor *in,
                                   chl_tensor *out) {
    const scale_by_settings *s = c->settings;
    out[0] = chl_scale_by(g, fresh(g, in[0]), in[1], s->most);
    return 1;
}
static int build_mean(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_mean(g, in[0]);
    return 1;
}
static int build_drop_path(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const drop_path_settings *s = c->settings;
    if (chl_set_step(g, (chl_step){.seed = s->seed, .index = (int64_t)s->step}) != CHL_OK) return 0;
    chl_graph_first_sample(g, s->first);
    out[0] = chl_drop_path(g, fresh(g, in[0]), s->rate, s->purpose);
    return 1;
}

static const sum_settings eight = {8, false, 0.5f, {1, -1, 2, 0.25f, 3, -0.5f, 1, 0}},
                          pair = {2, false, 0, {1, 1}}, lone = {1, false, -1, {-2.5f}},
                          thrice = {3, true, 0.25f, {1, -3, 1}};
static const activation_settings leaky = {.kind = CHL_LEAKY_RELU, .slope = 0.2f},
                                 relu = {.kind = CHL_LEAKY_RELU}, gelu = {.kind = CHL_GELU},
                                 quick = {.kind = CHL_QUICK_GELU}, sigmoid = {.kind = CHL_SIGMOID},
                                 residual = {.kind = CHL_GELU, .residual = true},
                                 sine = {.kind = CHL_SINE}, fast = {.kind = CHL_SINE, .scale = 40};
static const scale_by_settings open = {4.6f}, shut = {-5};
static const drop_path_settings half = {0.5f, 7, 0, 0, 0}, share = {0.5f, 7, 3, 5, 21},
                                rare = {0.1f, 1, 3, 41, 0},
                                often = {0.9f, 12345, 0x123456789abcdef0, 0x100000005, 0};

#define X(fill_, ...)                                                                              \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = fill_, .gradient = true }
/* an activation */
#define HALF(fill_, ...)                                                                           \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = fill_, .gradient = true, .half = true }
#define H(...) HALF(FILL_NORMAL, __VA_ARGS__)
#define N(...) X(FILL_NORMAL, __VA_ARGS__)
#define CASE(op, build_, label_, settings_, inputs_, ...)                                          \
    {                                                                                              \
        .name = #op, .label = label_, .build = build_, REFERENCE_OF(op), .settings = settings_,    \
        .inputs = inputs_, .in = {                                                                 \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#define CAST(label_, ...)                                                                          \
    {                                                                                              \
        .name = "cast", .label = label_, .build = build_cast, REFERENCE_OF(cast), .inputs = 1,     \
        .in = {__VA_ARGS__}, .tolerance = 0.016, .gradient_tolerance = 0.016,                      \
        .second_tolerance = 0.03                                                                   \
    }

static const op_case cases[] = {
    CAST("odd", N(3, {2, 5, 19})),
    CAST("one number", N(1, {1})),
    CAST("a vector", N(1, {64})),
    CAST("many", N(2, {70, 131})),

    CASE(sum, build_sum, "eight terms", &eight, 8, H(2, {3, 7}), H(2, {3, 7}), H(2, {3, 7}),
         H(2, {3, 7}), H(2, {3, 7}), H(2, {3, 7}), H(2, {3, 7}), H(2, {3, 7})),
    CASE(sum, build_sum, "two terms", &pair, 2, H(3, {2, 5, 33}), H(3, {2, 5, 33})),
    CASE(sum, build_sum, "one number", &lone, 1, H(1, {1})),
    CASE(sum, build_sum, "in parallel", &pair, 2, H(2, {131, 150}), H(2, {131, 150})),
    CASE(sum, build_sum, "one tensor three times", &thrice, 1, H(2, {4, 9})),
    CASE(sum, build_add, "in place", &pair, 2, H(2, {5, 19}), H(2, {5, 19})),

    CASE(add_bias, build_add_bias, "odd", NULL, 2, H(3, {2, 5, 19}), N(1, {19})),
    CASE(add_bias, build_add_bias, "one number", NULL, 2, H(2, {1, 1}), N(1, {1})),
    CASE(add_bias, build_add_bias, "many rows", NULL, 2, H(2, {701, 24}), N(1, {24})),
    CASE(add_bias, build_add_bias, "positions", NULL, 2, H(3, {4, 50, 101}), N(2, {50, 101})),
    CASE(add_bias, build_add_bias, "same shape", NULL, 2, H(2, {3, 16}), N(2, {3, 16})),
    CASE(add_bias, build_add_bias, "more rows than a grid has", NULL, 2, H(2, {65600, 3}),
         N(1, {3})),
    CASE(add_bias, build_add_bias, "a column more than the threads", NULL, 2, H(2, {33, 257}),
         N(1, {257})),
    CASE(add_bias, build_add_bias, "whole vectors", NULL, 2, H(3, {9, 37, 96}), N(1, {96})),
    CASE(add_bias, build_add_bias, "two rows, wide", NULL, 2, H(2, {2, 1096}), N(1, {1096})),
    CASE(add_bias, build_add_bias_in_place, "in place", NULL, 2, H(2, {6, 17}), N(1, {17})),

    CASE(mul, build_mul, "odd", NULL, 2, H(2, {3, 11}), H(2, {3, 11})),
    CASE(mul, build_mul, "one number", NULL, 2, H(1, {1}), H(1, {1})),
    CASE(mul, build_mul, "in parallel", NULL, 2, HALF(FILL_POSITIVE, 2, {100, 170}),
         HALF(FILL_POSITIVE, 2, {100, 170})),
    CASE(mul, build_mul, "square", NULL, 1, H(3, {2, 3, 17})),
    CASE(mul, build_mul_in_place, "in place", NULL, 2, H(2, {4, 21}), H(2, {4, 21})),

    CASE(activation, build_activation, "leaky ReLU", &leaky, 1, HALF(FILL_APART, 2, {3, 19})),
    CASE(activation, build_activation, "ReLU", &relu, 1, HALF(FILL_APART, 2, {5, 16})),
    CASE(activation, build_activation, "GELU", &gelu, 1, H(3, {2, 7, 13})),
    CASE(activation, build_activation, "GELU, one number", &gelu, 1, H(1, {1})),
    CASE(activation, build_activation, "GELU in parallel", &gelu, 1, H(2, {120, 150})),
    CASE(activation, build_activation, "quick GELU", &quick, 1, H(2, {9, 31})),
    CASE(activation, build_activation, "sigmoid", &sigmoid, 1, H(2, {1, 47})),
    CASE(activation, build_activation, "sine", &sine, 1, H(2, {5, 21})),
    CASE(activation, build_activation, "sine of large numbers", &fast, 1,
         X(FILL_NORMAL, 2, {4, 17})),
    CASE(activation, build_activation, "residual", &residual, 1, H(2, {6, 20})),
    CASE(activation, build_activation_in_place, "in place", &gelu, 1, H(2, {6, 20})),

    CASE(scale_by, build_scale_by, "odd", &open, 2, N(2, {7, 5}), N(1, {1})),
    CASE(scale_by, build_scale_by, "one number", &open, 2, N(1, {1}), N(1, {1})),
    CASE(scale_by, build_scale_by, "clamped", &shut, 2, N(2, {3, 3}), N(1, {1})),
    CASE(scale_by, build_scale_by, "in parallel", &open, 2, N(2, {130, 130}), N(1, {1})),
    CASE(scale_by, build_scale_by_in_place, "in place", &open, 2, N(2, {9, 4}), N(1, {1})),

    CASE(mean, build_mean, "odd", NULL, 1, X(FILL_POSITIVE, 3, {3, 5, 7})),
    CASE(mean, build_mean, "one number", NULL, 1, N(1, {1})),
    CASE(mean, build_mean, "in parallel", NULL, 1, X(FILL_POSITIVE, 2, {130, 140})),
    CASE(mean, build_mean, "a vector", NULL, 1, X(FILL_POSITIVE, 1, {65})),

    CASE(drop_path, build_drop_path, "half", &half, 1, H(3, {16, 3, 5})),
    CASE(drop_path, build_drop_path, "rarely", &rare, 1, H(2, {40, 7})),
    CASE(drop_path, build_drop_path, "whole vectors", &rare, 1, H(3, {20, 5, 24})),
    CASE(drop_path, build_drop_path, "often, one number a row", &often, 1, H(1, {60})),
    CASE(drop_path, build_drop_path, "a rank's share", &share, 1, H(2, {30, 4})),
    CASE(drop_path, build_drop_path, "in parallel", &half, 1, H(2, {4, 17000})),
};
OP_CASES(elementwise, cases)
