#include "harness/op_case.h"
#include "reference/sequence_settings.h"

DECLARE_REFERENCE(attention)
DECLARE_REFERENCE(window_attention)

static int build_attention(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const attention_settings *s = c->settings;
    out[0] = chl_attention(g, in[0], s->heads, s->causal);
    return 1;
}
static int build_window(chl_graph *g, const op_case *c, const chl_tensor *in, chl_tensor *out) {
    const attention_settings *s = c->settings;
    out[0] = chl_window_attention(g, in[0], in[1], s->heads, s->window, s->shift);
    return 1;
}

static const attention_settings one = {.heads = 1}, two = {.heads = 2}, three = {.heads = 3},
                                causal_one = {.heads = 1, .causal = true},
                                causal_two = {.heads = 2, .causal = true};
static const attention_settings swin = {.heads = 1, .window = 7},
                                swin_shifted = {.heads = 3, .window = 7, .shift = 3},
                                small = {.heads = 3, .window = 2},
                                small_shifted = {.heads = 1, .window = 2, .shift = 1},
                                pixel = {.heads = 2, .window = 1},
                                eight_shifted = {.heads = 1, .window = 8, .shift = 4},
                                many_shifted = {.heads = 132, .window = 2, .shift = 1},
                                nine = {.heads = 1, .window = 9, .shift = 2},
                                lone_shifted = {.heads = 1, .window = 3, .shift = 1};

#define X(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true }
/* an activation */
#define H(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true, .half = true }
/* half_tolerance: the largest outputs, a causal sequence's first tokens, stand far above the rms
 * that errors are measured by, and are rounded to 1/512 of themselves */
#define SEQUENCE(label_, settings_, ...)                                                           \
    {                                                                                              \
        .name = "attention", .label = label_, .build = build_attention, REFERENCE_OF(attention),   \
        .settings = settings_, .half_tolerance = 0.03, .inputs = 1, .in = {                        \
            H(3, __VA_ARGS__)                                                                      \
        }                                                                                          \
    }
#define WINDOW(label_, settings_, rows, heads, ...)                                                \
    {                                                                                              \
        .name = "window_attention", .label = label_, .build = build_window,                        \
        REFERENCE_OF(window_attention), .settings = settings_, .half_tolerance = 0.03,             \
        .inputs = 2, .in = {                                                                       \
            H(4, __VA_ARGS__),                                                                     \
            X(2, {rows, heads})                                                                    \
        }                                                                                          \
    }

static const op_case cases[] = {
    SEQUENCE("odd, three heads", &three, {2, 5, 45}),
    SEQUENCE("one token, one number", &one, {1, 1, 3}),
    SEQUENCE("ViT-B/32's tokens", &one, {1, 50, 192}),
    SEQUENCE("causal, odd", &causal_two, {3, 7, 30}),
    SEQUENCE("CLIP's text, causal", &causal_one, {1, 77, 48}),
    SEQUENCE("several blocks of queries", &one, {1, 150, 9}),
    SEQUENCE("several blocks, causal", &causal_one, {1, 131, 6}),
    /* what tensor cores take: heads of whole vectors, tiles of 64 tokens */
    SEQUENCE("width 8, one tile and less", &two, {2, 37, 48}),
    SEQUENCE("width 24, causal, three tiles", &causal_two, {1, 139, 144}),
    SEQUENCE("width 64, causal, a whole tile", &causal_two, {2, 64, 384}),
    SEQUENCE("width 64, a token more than a tile", &two, {1, 65, 384}),
    SEQUENCE("width 64, causal, two whole tiles", &causal_one, {1, 128, 192}),
    SEQUENCE("width 80", &one, {1, 70, 240}),
    SEQUENCE("width 80, causal", &causal_one, {1, 97, 240}),
    SEQUENCE("width 104", &one, {1, 90, 312}),

    WINDOW("window 2", &small, 9, 3, {2, 4, 6, 27}),
    WINDOW("window 2, shifted", &small_shifted, 9, 1, {2, 6, 4, 15}),
    WINDOW("window 7, width 32", &swin, 169, 1, {1, 7, 14, 96}),
    WINDOW("window 7, shifted, three heads", &swin_shifted, 169, 3, {1, 14, 14, 18}),
    WINDOW("window 7, shifted, width 32, two by two", &swin_shifted, 169, 3, {3, 14, 14, 288}),
    WINDOW("window 8, all 64 tokens, width 40", &eight_shifted, 225, 1, {1, 16, 8, 120}),
    WINDOW("several windows a block", &many_shifted, 9, 132, {1, 8, 4, 3168}),
    WINDOW("window 9: more tokens than a tile", &nine, 289, 1, {1, 9, 9, 24}),
    /* its softmax is 1: only the values have a gradient, and only that of qkv can be judged */
    {.name = "window_attention",
     .label = "window of one pixel",
     .build = build_window,
     REFERENCE_OF(window_attention),
     .settings = &pixel,
     .inputs = 2,
     .in = {H(4, {1, 2, 3, 6}), {.desc = {CHL_F32, 2, {1, 2}}, .fill = FILL_NORMAL}}},
    WINDOW("one window, shifted", &lone_shifted, 25, 1, {1, 3, 3, 12}),
};
OP_CASES(attention, cases)
