#include "harness/op_case.h"
#include "sequence_settings.h"

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

static const attention_settings one = {.heads = 1}, three = {.heads = 3},
                                causal_one = {.heads = 1, .causal = true},
                                causal_two = {.heads = 2, .causal = true};
static const attention_settings swin = {.heads = 1, .window = 7},
                                swin_shifted = {.heads = 3, .window = 7, .shift = 3},
                                small = {.heads = 3, .window = 2},
                                small_shifted = {.heads = 1, .window = 2, .shift = 1},
                                pixel = {.heads = 2, .window = 1},
                                lone_shifted = {.heads = 1, .window = 3, .shift = 1};

#define X(...)                                                                                     \
    { .desc = {CHL_F32, __VA_ARGS__}, .fill = FILL_NORMAL, .gradient = true }
#define SEQUENCE(label_, settings_, ...)                                                           \
    {                                                                                              \
        .name = "attention", .label = label_, .build = build_attention, REFERENCE_OF(attention),   \
        .settings = settings_, .inputs = 1, .in = {                                                \
            X(3, __VA_ARGS__)                                                                      \
        }                                                                                          \
    }
#define WINDOW(label_, settings_, rows, heads, ...)                                                \
    {                                                                                              \
        .name = "window_attention", .label = label_, .build = build_window,                        \
        REFERENCE_OF(window_attention), .settings = settings_, .inputs = 2, .in = {                \
            X(4, __VA_ARGS__),                                                                     \
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

    WINDOW("window 2", &small, 9, 3, {2, 4, 6, 27}),
    WINDOW("window 2, shifted", &small_shifted, 9, 1, {2, 6, 4, 15}),
    WINDOW("window 7, width 32", &swin, 169, 1, {1, 7, 14, 96}),
    WINDOW("window 7, shifted, three heads", &swin_shifted, 169, 3, {1, 14, 14, 18}),
    /* its softmax is 1: only the values have a gradient, and only that of qkv can be judged */
    {.name = "window_attention",
     .label = "window of one pixel",
     .build = build_window,
     REFERENCE_OF(window_attention),
     .settings = &pixel,
     .inputs = 2,
     .in = {X(4, {1, 2, 3, 6}), {.desc = {CHL_F32, 2, {1, 2}}, .fill = FILL_NORMAL}}},
    WINDOW("one window, shifted", &lone_shifted, 25, 1, {1, 3, 3, 12}),
};
OP_CASES(attention, cases)
