#include "harness/op_case.h"

DECLARE_REFERENCE(cross_entropy)
DECLARE_REFERENCE(kl_divergence)
DECLARE_REFERENCE(row_dot)
DECLARE_REFERENCE(latent_distance)
DECLARE_REFERENCE(pixel_loss)

static int build_cross_entropy(chl_graph *g, const op_case *c, const chl_tensor *in,
                               chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_cross_entropy(g, in[0], a->loss.offset);
    return 1;
}
static int build_kl(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_kl_divergence(g, in[0], in[1], a->loss.tau);
    return 1;
}
static int build_row_dot(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_row_dot(g, in[0], in[1]);
    return 1;
}
static int build_latent(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_latent_distance(g, in[0], in[1], in[2]);
    return 1;
}
static int build_pixel(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const chl_attributes *a = c->settings;
    out[0] = chl_pixel_loss(g, in[0], in[1], a->loss.pixel);
    return 1;
}

static const chl_attributes own_columns = {.loss = {.offset = 0}};
static const chl_attributes second_rank = {.loss = {.offset = 5}};
static const chl_attributes cold = {.loss = {.tau = 0.2f}};
static const chl_attributes warm = {.loss = {.tau = 1}};
static const chl_attributes l1 = {.loss = {.pixel = CHL_PIXEL_L1}};
static const chl_attributes l2 = {.loss = {.pixel = CHL_PIXEL_L2}};

#define VALUES(gradient_, ...)                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = gradient_ }

#define ENTROPY(label_, settings_, n, m)                                                           \
    {                                                                                              \
        .name = "cross_entropy", .label = label_, .build = build_cross_entropy,                    \
        REFERENCE_OF(cross_entropy), .inputs = 1, .settings = &settings_, .in = {                  \
            VALUES(true, 2, {n, m})                                                                \
        }                                                                                          \
    }
#define KL(label_, settings_, n, m)                                                                \
    {                                                                                              \
        .name = "kl_divergence", .label = label_, .build = build_kl, REFERENCE_OF(kl_divergence),  \
        .inputs = 2, .settings = &settings_, .in = {                                               \
            VALUES(false, 2, {n, m}),                                                              \
            VALUES(true, 2, {n, m})                                                                \
        }                                                                                          \
    }
#define ROW_DOT(label_, n, d)                                                                      \
    {                                                                                              \
        .name = "row_dot", .label = label_, .build = build_row_dot, REFERENCE_OF(row_dot),         \
        .inputs = 2, .in = {                                                                       \
            VALUES(true, 2, {n, d}),                                                               \
            VALUES(true, 2, {n, d})                                                                \
        }                                                                                          \
    }
#define LATENT(label_, mask, n, l, d)                                                              \
    {                                                                                              \
        .name = "latent_distance", .label = label_, .build = build_latent,                         \
        REFERENCE_OF(latent_distance), .inputs = 3, .in = {                                        \
            VALUES(true, 3, {n, l, d}),                                                            \
            VALUES(false, 3, {n, l, d}),                                                           \
            {.desc = {CHL_F32, 2, {n, l}}, .fill = mask, .gradient = true},                        \
        }                                                                                          \
    }
#define PIXEL(label_, settings_, ...)                                                              \
    {                                                                                              \
        .name = "pixel_loss", .label = label_, .build = build_pixel, REFERENCE_OF(pixel_loss),     \
        .inputs = 2, .settings = &settings_, .in = {                                               \
            VALUES(true, __VA_ARGS__),                                                             \
            VALUES(false, __VA_ARGS__)                                                             \
        }                                                                                          \
    }

static const op_case cases[] = {
    ENTROPY("one rank", own_columns, 16, 16),
    ENTROPY("second of two ranks", second_rank, 5, 10),
    ENTROPY("odd sizes", second_rank, 7, 37),
    ENTROPY("more columns than a vector", own_columns, 3, 100),
    ENTROPY("two of two", own_columns, 2, 2),
    ENTROPY("columns in several rounds of a block", second_rank, 2, 700),
    KL("full vectors", warm, 8, 32),
    KL("low temperature", cold, 6, 24),
    KL("odd sizes", cold, 5, 19),
    KL("one row", warm, 1, 7),
    KL("columns in several rounds of a block", cold, 2, 600),
    ROW_DOT("embeddings", 4, 512),
    ROW_DOT("odd sizes", 7, 37),
    ROW_DOT("short rows", 5, 3),
    ROW_DOT("one of everything", 1, 1),
    LATENT("masked", FILL_NORMAL, 2, 14, 64),
    LATENT("plain", FILL_ABSENT, 2, 14, 64),
    LATENT("masked, odd sizes", FILL_NORMAL, 3, 5, 19),
    LATENT("one row", FILL_ABSENT, 1, 1, 7),
    LATENT("one of everything", FILL_ABSENT, 1, 1, 1),
    PIXEL("L1", l1, 4, {2, 8, 8, 3}),
    PIXEL("L2", l2, 4, {2, 8, 8, 3}),
    PIXEL("L1, samples end inside a vector", l1, 2, {5, 7}),
    PIXEL("L2, odd sizes", l2, 4, {3, 5, 9, 3}),
    PIXEL("L2, several parts", l2, 3, {2, 97, 101}),
    PIXEL("one of everything", l1, 1, {1}),
};
OP_CASES(loss, cases)
