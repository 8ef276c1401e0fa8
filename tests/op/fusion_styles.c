#include "fusion_check.h"

/* --- styles: a token of the codes, its linear map, demodulation, for several layers -------------- */
typedef struct style_case {
    const char *name;
    int samples;
    bool chained; /* each layer reads the style before it: they need one another */
    bool found;
} style_case;

static const style_case styles[] = {
    {"styles", 2, false, true},
    {"styles of nine samples", 9, false, true},
    {"styles of too many samples", 17, false, false},
    {"styles one behind the other", 2, true, false},
};

static chl_status make_styles(const void *which, const way *how, result *r) {
    enum { LAYERS = 5, CODES = 4, IN = 37 };
    static const int width[LAYERS] = {37, 33, 7, 40, 37}, token[LAYERS] = {0, 1, 1, 3, 2};
    const style_case *c = which;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc codes = chl_f32(3, c->samples, CODES, IN);
    const chl_tensor moved = chl_param(g, "w", codes, NULL, CHL_TRAINABLE);
    const chl_tensor w = chl_add(g, moved, given(g, "codes", codes, 0.3f));
    const chl_attributes root = {.demodulate = {.eps = 0.1f, .gain = 0.3f}};
    chl_tensor loss = CHL_NONE, before = CHL_NONE, kept[3] = {CHL_NONE, CHL_NONE, CHL_NONE};
    for (int k = 0; k < LAYERS; k++) {
        const int wide = c->chained ? IN : width[k];
        const chl_tensor x = c->chained && k ? before : chl_select(g, w, token[k]);
        const chl_tensor b = k == 2 ? CHL_NONE : given(g, "b", chl_f32(1, wide), 0.5f);
        const float phase = 0.1f * (float)k;
        const chl_tensor s = chl_linear_gain(g, x, given(g, "affine", chl_f32(2, wide, IN), phase),
                                             b, 0.2f + phase, 1.5f);
        const chl_tensor q = given(g, "root", chl_f32(2, 24 + k, wide), 0.6f + phase);
        const chl_tensor in[2] = {s, chl_mul(g, q, q)};
        const chl_tensor d = chl_emit1(g, CHL_OP_demodulate, &root, 2, in);
        const chl_tensor more = chl_add(g, weighted(g, d, 0.2f), weighted(g, s, 0.7f));
        loss = k ? chl_add(g, loss, more) : more;
        before = s;
        if (k == 2) kept[1] = chl_keep(g, d);
    }
    kept[0] = chl_keep(g, before);
    chl_grad(g, loss, 1, &moved, &kept[2]);
    chl_keep(g, kept[2]);
    return finish(g, 3, kept, r);
}

static void check_style(const style_case *c) {
    const int want[CHL_FUSION_COUNT] = {
        [CHL_FUSION_select_tokens] = c->found, [CHL_FUSION_linears] = c->found,
        [CHL_FUSION_demodulates] = c->found,   [CHL_FUSION_select_tokens_dx] = c->found,
        [CHL_FUSION_linears_dx] = c->found,    [CHL_FUSION_demodulates_backward] = c->found};
    static const char *const what[] = {"a style", "d", "gradient"};
    check_small(c->name, make_styles, c, want, 3, what, 1e-5); /* floats in both */
}

/* --- the colours' gradients, one after the other ------------------------------------------------ */
typedef struct colours_case {
    const char *name;
    int side, ups;
    int found;
} colours_case;

static const colours_case colours[] = {
    {"colours", 2, 4, 1},
    {"colours of large pictures", 4, 5, 1}, /* the last one's is a call of its own */
    {"colours of few sizes", 4, 3, 0},
};

static chl_status paint(const void *which, const way *how, result *r) {
    const colours_case *c = which;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc pixels = chl_f32(4, 2, c->side, c->side, 3);
    const chl_tensor moved = chl_param(g, "x", pixels, NULL, CHL_TRAINABLE);
    chl_tensor x = chl_add(g, moved, given(g, "x", pixels, 0.3f));
    for (int k = 0; k < c->ups; k++) x = chl_upsample_fir(g, x, CHL_NONE);
    chl_tensor kept[2] = {chl_keep(g, chl_mean(g, chl_mul(g, x, x))), CHL_NONE};
    chl_grad(g, kept[0], 1, &moved, &kept[1]);
    chl_keep(g, kept[1]);
    return finish(g, 2, kept, r);
}

static void check_colours(const colours_case *c) {
    const int want[CHL_FUSION_COUNT] = {[CHL_FUSION_upsample_chain] = c->found};
    static const char *const what[] = {"the mean square", "gradient"};
    check_small(c->name, paint, c, want, 2, what, 1e-5); /* floats in both */
}

void check_styles(void) {
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++) check_style(&styles[i]);
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) check_colours(&colours[i]);
}
