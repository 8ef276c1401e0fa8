#include "harness/op_case.h"
#include "reference/sequence_settings.h"

DECLARE_REFERENCE(patch_merge)
DECLARE_REFERENCE(embedding)
DECLARE_REFERENCE(prepend_token)
DECLARE_REFERENCE(select_token)
DECLARE_REFERENCE(repeat)

static int build_patch_merge(chl_graph *g, const op_case *c, const chl_tensor *in,
                             chl_tensor *out) {
    (void)c;
    out[0] = chl_patch_merge(g, in[0]);
    return 1;
}
static int build_embedding(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    (void)c;
    out[0] = chl_embedding(g, in[0], in[1]);
    return 1;
}
static int build_prepend_token(chl_graph *g, const op_case *c, const chl_tensor *in,
                               chl_tensor *out) {
    (void)c;
    out[0] = chl_prepend_token(g, in[0], in[1]);
    return 1;
}
static int build_select(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const token_settings *s = c->settings;
    out[0] = c->inputs > 1 ? chl_select_each(g, in[0], in[1]) : chl_select(g, in[0], s->number);
    return 1;
}
static int build_repeat(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const token_settings *s = c->settings;
    out[0] = chl_repeat(g, in[0], s->number);
    return 1;
}

static const token_settings first = {0}, second = {1}, fifth = {4}, once = {1}, many = {5};

#define X(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true }
/* an activation */
#define H(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true, .half = true }
#define IDS(most, ...)                                                                             \
    { .desc = {CHL_I32, __VA_ARGS__}, .fill = FILL_INDEX, .limit = most }
#define CASE(op, build_, label_, settings_, inputs_, ...)                                          \
    {                                                                                              \
        .name = #op, .label = label_, .build = build_, REFERENCE_OF(op), .settings = settings_,    \
        .inputs = inputs_, .in = {                                                                 \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const op_case cases[] = {
    CASE(patch_merge, build_patch_merge, "odd channels", NULL, 1, H(4, {2, 4, 6, 5})),
    CASE(patch_merge, build_patch_merge, "one block", NULL, 1, H(4, {1, 2, 2, 1})),
    CASE(patch_merge, build_patch_merge, "whole vectors", NULL, 1, H(4, {1, 6, 2, 32})),
    CASE(patch_merge, build_patch_merge, "in parallel", NULL, 1, H(4, {2, 14, 14, 50})),

    CASE(embedding, build_embedding, "odd", NULL, 2, IDS(11, 2, {3, 5}), X(2, {11, 7})),
    CASE(embedding, build_embedding, "one of everything", NULL, 2, IDS(1, 2, {1, 1}), X(2, {1, 1})),
    CASE(embedding, build_embedding, "ids repeat", NULL, 2, IDS(3, 2, {4, 9}), X(2, {3, 33})),
    CASE(embedding, build_embedding, "in parallel", NULL, 2, IDS(40, 2, {5, 77}), X(2, {40, 64})),

    CASE(embedding, build_embedding, "ids repeat in whole vectors", NULL, 2, IDS(50, 2, {7, 91}),
         X(2, {50, 36})),
    CASE(embedding, build_embedding, "one row of the table alone", NULL, 2, IDS(1, 2, {2, 300}),
         X(2, {17, 8})),

    CASE(prepend_token, build_prepend_token, "odd", NULL, 2, H(3, {3, 4, 7}), X(1, {7})),
    CASE(prepend_token, build_prepend_token, "one of everything", NULL, 2, H(3, {1, 1, 1}),
         X(1, {1})),
    CASE(prepend_token, build_prepend_token, "whole vectors", NULL, 2, H(3, {2, 3, 48}),
         X(1, {48})),
    CASE(prepend_token, build_prepend_token, "in parallel", NULL, 2, H(3, {4, 49, 100}),
         X(1, {100})),

    CASE(select_token, build_select, "first of all", &first, 1, H(3, {3, 4, 19})),
    CASE(select_token, build_select, "last of all", &fifth, 1, H(3, {2, 5, 16})),
    CASE(select_token, build_select, "one token", &first, 1, H(3, {1, 1, 1})),
    CASE(select_token, build_select, "one of each", &second, 2, H(3, {6, 7, 33}), IDS(7, 1, {6})),

    CASE(repeat, build_repeat, "odd", &many, 1, H(2, {3, 7})),
    CASE(repeat, build_repeat, "once", &once, 1, H(1, {1})),
    CASE(repeat, build_repeat, "whole vectors", &many, 1, H(2, {2, 32})),
    CASE(repeat, build_repeat, "in parallel", &many, 1, H(3, {7, 11, 60})),
};
OP_CASES(token, cases)
