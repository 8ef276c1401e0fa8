/* Rows of tokens and of embeddings: residuals, norms. */
#include "fusion_check.h"

/* --- a residual and the norm behind it -------------------------------------------------------- */
typedef struct residual_case {
    const char *name;
    int width;
    float second; /* what the sum's second input is multiplied by */
    bool found;
} residual_case;

static const residual_case residuals[] = {
    {"residual", 96, 1, true},
    {"residual, a wide row", 1024, 1, true},
    {"residual, an odd width", 97, 1, false},
    {"residual, too wide a row", 1032, 1, false},
    {"a weighted sum", 96, 0.5f, false},
};

static chl_status normalise(const void *which, const way *how, result *r) {
    const residual_case *c = which;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc rows = chl_f32(3, 2, 5, c->width);
    chl_tensor moved;
    const chl_tensor x = given_moved(g, rows, 0.3f, &moved);
    const chl_tensor terms[2] = {x, chl_to_compute_type(g, given(g, "other", rows, 1.9f))};
    const chl_tensor total = chl_sum(g, 0, 2, (float[]){1, c->second}, terms);
    const chl_tensor y = chl_layer_norm(g, total, given(g, "gamma", chl_f32(1, c->width), 0.2f),
                                        given(g, "beta", chl_f32(1, c->width), 0.5f), 1e-5f);
    const chl_tensor both[2] = {weighted(g, y, 0.2f), weighted(g, total, 0.9f)};
    chl_tensor kept[3] = {chl_keep(g, chl_to_float32(g, y)), chl_keep(g, chl_to_float32(g, total)),
                          CHL_NONE};
    chl_grad(g, chl_add(g, both[0], both[1]), 1, &moved, &kept[2]);
    chl_keep(g, kept[2]);
    return finish(g, 3, kept, r);
}

static void check_residual(const residual_case *c) {
    const int want[CHL_FUSION_COUNT] = {[CHL_FUSION_sum_layer_norm] = c->found};
    static const char *const what[] = {"y", "the sum", "gradient"};
    check_small(c->name, normalise, c, want, 3, what, 1e-5); /* rounded alike */
}

/* --- a product and the activation around it --------------------------------------------------- */
typedef struct bent_case {
    const char *name;
    int rows, in, hidden;
    chl_activation kind;
    bool biased, learns;
    bool found; /* in bf16 */
} bent_case;

static const bent_case bends[] = {
    {"quick GELU", 10, 24, 40, CHL_QUICK_GELU, true, false, true},
    {"GELU, many rows and terms", 131, 296, 72, CHL_GELU, true, false, true},
    {"GELU without a bias", 1, 8, 8, CHL_GELU, false, false, true},
    {"GELU, odd terms", 10, 20, 40, CHL_GELU, true, false, false},
    {"GELU behind a weight that learns", 10, 24, 40, CHL_GELU, true, true, false},
    {"leaky ReLU", 10, 24, 40, CHL_LEAKY_RELU, true, false, false},
};

static chl_status bend(const void *which, const way *how, result *r) {
    const bent_case *c = which;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc rows = chl_f32(3, 1, c->rows, c->in);
    chl_tensor moved;
    const chl_tensor x = given_moved(g, rows, 0.3f, &moved);
    chl_tensor w1 = given(g, "w1", chl_f32(2, c->hidden, c->in), 0.1f), learnt[2] = {moved};
    chl_tensor w2 = given(g, "w2", chl_f32(2, c->in, c->hidden), 0.6f);
    if (c->learns) {
        const chl_tensor one = chl_param(g, "one", chl_f32(1, 1), NULL, CHL_TRAINABLE);
        w1 = chl_scale_by(g, w1, one, 9);
        w2 = chl_scale_by(g, w2, one, 9);
    }
    const chl_tensor b = c->biased ? given(g, "b", chl_f32(1, c->hidden), 0.9f) : CHL_NONE;
    const chl_tensor before = chl_linear_gain(g, x, w1, b, 0.3f, 0.7f);
    const chl_tensor inside = chl_activate(g, before, c->kind, 0.1f);
    /* its square is the loss: a linear one has gradients that are computed once */
    const chl_tensor y = chl_to_float32(g, chl_linear_gain(g, inside, w2, CHL_NONE, 0.2f, 1));
    chl_tensor kept[4] = {chl_keep(g, chl_to_float32(g, before)),
                          chl_keep(g, chl_to_float32(g, inside)), chl_keep(g, chl_to_float32(g, y)),
                          CHL_NONE};
    chl_grad(g, weighted(g, chl_mul(g, y, y), 0.2f), 1, learnt, kept + 3);
    chl_keep(g, kept[3]);
    return finish(g, 4, kept, r);
}

static void check_bent(const bent_case *c) {
    const int none[CHL_FUSION_COUNT] = {0};
    const int half[CHL_FUSION_COUNT] = {
        [CHL_FUSION_linear_activation] = c->found, [CHL_FUSION_linear_dx_activation] = c->found};
    static const char *const what[] = {"the product", "the activation", "y", "gradient"};
    check_both(c->name, bend, c, none, half, 4, what, 3e-2); /* a fifth of what rounding does */
}

/* --- the cosine of two embeddings, and losses of samples added up ------------------------------- */
typedef struct cosine_case {
    const char *name;
    int rows, width;
    chl_norm kind;   /* of the first rows */
    bool both;       /* the second ones want a gradient, too */
    bool short_rows; /* shorter than eps */
    bool found;
} cosine_case;

static const cosine_case cosines[] = {
    {"cosine", 3, 24, CHL_NORM_L2, false, false, true},
    {"cosine, an odd width and many rows", 300, 37, CHL_NORM_L2, false, false, true},
    {"cosine of short rows", 2, 8, CHL_NORM_L2, false, true, true},
    {"cosine of two that move", 3, 24, CHL_NORM_L2, true, false, true},
    {"another norm", 3, 24, CHL_NORM_RMS, false, false, false},
};

static chl_status turn(const void *which, const way *how, result *r) {
    const cosine_case *c = which;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc rows = chl_f32(2, c->rows, c->width);
    chl_tensor learnt[2], x[2], unit[2];
    for (int i = 0; i < 2; i++) {
        learnt[i] = chl_param(g, "x", rows, NULL, CHL_TRAINABLE);
        x[i] = chl_add(g, learnt[i], given(g, "x", rows, 0.3f + 0.5f * (float)i));
        unit[i] = chl_row_norm(g, x[i], i ? CHL_NORM_L2 : c->kind, c->short_rows ? 9 : 1e-6f);
    }
    const chl_tensor cosine = chl_row_dot(g, unit[0], unit[1]);
    const chl_tensor loss = chl_sum(g, 1, 1, (float[]){-1}, &cosine);
    const chl_tensor squares = chl_row_dot(g, x[0], x[0]);
    const chl_tensor uneven = chl_mul(g, loss, given(g, "weights", chl_f32(1, c->rows), 0.4f));
    const chl_tensor some =
        chl_sum(g, 0.5f, 2, (float[]){2, 0.1f}, (chl_tensor[]){uneven, squares});
    const chl_tensor all = chl_sum(g, 0, 2, (float[]){3, 0.3f}, (chl_tensor[]){some, squares});
    const chl_tensor mean = chl_scale(g, chl_mean(g, all), 0.7f);
    chl_tensor kept[6] = {chl_keep(g, unit[1]), chl_keep(g, loss), chl_keep(g, all),
                          chl_keep(g, mean),    CHL_NONE,          CHL_NONE};
    chl_grad(g, mean, c->both ? 2 : 1, learnt, kept + 4);
    for (int i = 4; i < 6; i++) chl_keep(g, kept[i]);
    return finish(g, c->both ? 6 : 5, kept, r);
}

static void check_cosine(const cosine_case *c) {
    const int want[CHL_FUSION_COUNT] = {[CHL_FUSION_cosine] = c->found,
                                        [CHL_FUSION_cosine_dx] = !c->both,
                                        [CHL_FUSION_mean_of_sums] = 1};
    static const char *const what[] = {"the second rows", "the cosine", "the sums",
                                       "their mean",      "gradient",   "the other gradient"};
    check_small(c->name, turn, c, want, c->both ? 6 : 5, what, 1e-5); /* floats in both */
}

void check_rows(void) {
    for (size_t i = 0; i < sizeof residuals / sizeof *residuals; i++) check_residual(&residuals[i]);
    for (size_t i = 0; i < sizeof bends / sizeof *bends; i++) check_bent(&bends[i]);
    for (size_t i = 0; i < sizeof cosines / sizeof *cosines; i++) check_cosine(&cosines[i]);
}
