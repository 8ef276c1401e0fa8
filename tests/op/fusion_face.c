/* Squeeze and excitation, the units around it, and their convolutions. */
#include "fusion_check.h"

/* --- squeeze and excitation's gate ------------------------------------------------------------ */
typedef struct gate_case {
    const char *name;
    int channels, hidden;
    chl_activation last;
    bool biased, found;
} gate_case;

static const gate_case gates[] = {
    {"gate", 40, 5, CHL_SIGMOID, false, true},
    {"gate, many channels", 260, 33, CHL_SIGMOID, false, true},
    {"gate, too wide inside", 16, 65, CHL_SIGMOID, false, false},
    {"gate with a bias", 40, 5, CHL_SIGMOID, true, false},
    {"another activation", 40, 5, CHL_QUICK_GELU, false, false},
};

static chl_status open_gate(const void *which, const way *how, result *r) {
    const gate_case *c = which;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    chl_tensor moved;
    const chl_tensor x = given_moved(g, chl_f32(2, 3, c->channels), 0.3f, &moved);
    const chl_tensor b = c->biased ? given(g, "b", chl_f32(1, c->channels), 0.9f) : CHL_NONE;
    chl_tensor y = chl_linear_gain(g, x, given(g, "w1", chl_f32(2, c->hidden, c->channels), 0.1f),
                                   CHL_NONE, 0.1f, 1);
    y = chl_activate(g, y, CHL_LEAKY_RELU, 0.1f);
    y = chl_linear_gain(g, y, given(g, "w2", chl_f32(2, c->channels, c->hidden), 0.6f), b, 0.3f, 1);
    y = chl_activate(g, y, c->last, 0);
    chl_tensor kept[2] = {chl_keep(g, chl_to_float32(g, y)), CHL_NONE};
    chl_grad(g, weighted(g, y, 0.2f), 1, &moved, &kept[1]);
    chl_keep(g, kept[1]);
    return finish(g, 2, kept, r);
}

static void check_gate(const gate_case *c) {
    const int want[CHL_FUSION_COUNT] = {
        [CHL_FUSION_gate] = c->found, [CHL_FUSION_gate_backward] = c->found || c->biased};
    static const char *const what[] = {"y", "gradient"};
    /* rounded in the same places, but sums in another order may fall on the other side */
    check_small(c->name, open_gate, c, want, 2, what, 5e-3);
}

/* --- the end of a squeeze-and-excitation unit ------------------------------------------------- */
typedef struct unit_case {
    const char *name;
    int channels;
    bool swapped; /* the residual is the sum's second input */
} unit_case;

static const unit_case units[] = {
    {"unit", 24, false}, {"unit, odd channels", 7, false}, {"unit, swapped", 24, true}};

static chl_status end_unit(const void *which, const way *how, result *r) {
    const unit_case *c = which;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc pixels = chl_f32(4, 2, 3, 5, c->channels), vector = chl_f32(1, c->channels);
    chl_tensor moved;
    const chl_tensor x = given_moved(g, pixels, 0.3f, &moved);
    const chl_tensor residual = chl_to_compute_type(g, given(g, "residual", pixels, 1.3f));
    const chl_tensor s = chl_to_compute_type(g, given(g, "s", chl_f32(2, 2, c->channels), 0.7f));
    const chl_tensor scaled = chl_channel_scale(g, x, s);
    const chl_tensor total =
        c->swapped ? chl_add(g, scaled, residual) : chl_add(g, residual, scaled);
    const chl_tensor half = given(g, "half", vector, 0.5f);
    const chl_tensor y =
        chl_batch_norm(g, total, given(g, "gamma", vector, 0.2f), given(g, "beta", vector, 0.6f),
                       given(g, "mean", vector, 0.8f), chl_mul(g, half, half), 0.1f);
    const chl_tensor both[2] = {weighted(g, y, 0.2f), weighted(g, total, 0.9f)};
    chl_tensor kept[3] = {chl_keep(g, chl_to_float32(g, y)), chl_keep(g, chl_to_float32(g, total)),
                          CHL_NONE};
    chl_grad(g, chl_add(g, both[0], both[1]), 1, &moved, &kept[2]);
    chl_keep(g, kept[2]);
    return finish(g, 3, kept, r);
}

static void check_unit(const unit_case *c) {
    const int want[CHL_FUSION_COUNT] = {[CHL_FUSION_unit_end] = !c->swapped};
    static const char *const what[] = {"y", "the sum", "gradient"};
    check_small(c->name, end_unit, c, want, 3, what, 1e-2); /* rounded once less */
}

/* --- a whole squeeze-and-excitation unit, without its convolutions ------------------------------ */
typedef struct squeeze_case {
    const char *name;
    int side, channels;
    bool read_again; /* the unit's result has another reader: its gradient is added to */
    bool learns;     /* the norm in front of the gate does */
    bool found;      /* back: forward always */
} squeeze_case;

static const squeeze_case squeezes[] = {
    {"squeeze", 4, 24, true, false, true},
    {"squeeze, many pixels", 23, 24, false, false, true},
    {"squeeze, odd channels", 5, 7, false, false, true},
    {"squeeze with a norm that learns", 4, 24, false, true, false},
};

static chl_tensor gate_of(chl_graph *g, chl_tensor y, int channels, float gain) {
    enum { HIDDEN = 5 };
    chl_tensor s =
        chl_linear_gain(g, chl_mean_pool(g, y), given(g, "w1", chl_f32(2, HIDDEN, channels), 0.1f),
                        CHL_NONE, 1.1f, 1);
    s = chl_activate(g, s, CHL_LEAKY_RELU, 0.1f);
    s = chl_linear_gain(g, s, given(g, "w2", chl_f32(2, channels, HIDDEN), 0.6f), CHL_NONE, gain,
                        1);
    return chl_activate(g, s, CHL_SIGMOID, 0);
}

static chl_status squeeze(const void *which, const way *how, result *r) {
    const squeeze_case *c = which;
    const int channels = c->channels;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc pixels = chl_f32(4, 2, c->side, c->side, channels);
    const chl_desc vector = chl_f32(1, channels);
    chl_tensor moved;
    const chl_tensor x = given_moved(g, pixels, 0.3f, &moved);
    const chl_tensor half = given(g, "half", vector, 0.5f), var = chl_mul(g, half, half);
    const chl_tensor mean = given(g, "mean", vector, 0.8f);
    chl_tensor gamma = given(g, "gamma", vector, 0.2f), learnt[2] = {moved, CHL_NONE};
    if (c->learns) {
        learnt[1] = chl_param(g, "gamma", vector, NULL, CHL_TRAINABLE);
        gamma = chl_add(g, learnt[1], gamma);
    }
    const chl_tensor y =
        chl_batch_norm(g, x, gamma, given(g, "beta", vector, 1.6f), mean, var, 0.1f);
    const chl_tensor s = gate_of(g, y, channels, 2);
    const chl_tensor residual = chl_to_compute_type(g, given(g, "residual", pixels, 1.3f));
    const chl_tensor total = chl_add(g, residual, chl_channel_scale(g, y, s));
    const chl_tensor z = chl_batch_norm(g, total, given(g, "gamma2", vector, 0.4f),
                                        given(g, "beta2", vector, 0.6f), mean, var, 0.1f);
    chl_tensor loss = weighted(g, z, 0.2f);
    if (c->read_again) loss = chl_add(g, loss, weighted(g, total, 0.9f));
    chl_tensor kept[4] = {chl_keep(g, chl_to_float32(g, z)), chl_keep(g, chl_to_float32(g, s)),
                          CHL_NONE, CHL_NONE};
    chl_grad(g, loss, c->learns ? 2 : 1, learnt, kept + 2);
    for (int i = 2; i < 4; i++) chl_keep(g, kept[i]);
    return finish(g, c->learns ? 4 : 3, kept, r);
}

static void check_squeeze(const squeeze_case *c) {
    const int want[CHL_FUSION_COUNT] = {[CHL_FUSION_squeeze] = 1,
                                        [CHL_FUSION_unit_end] = 1,
                                        [CHL_FUSION_unit_backward] = c->found,
                                        [CHL_FUSION_gate_backward] = !c->found};
    static const char *const what[] = {"y", "the gate", "gradient", "gradient of gamma"};
    check_small(c->name, squeeze, c, want, c->learns ? 4 : 3, what, 1e-2); /* rounded less */
}

/* --- a unit with its convolutions ------------------------------------------------------------- */
typedef struct unit_of_convs {
    const char *name;
    int side, channels, stride; /* of the second convolution */
    bool found;                 /* in bf16 */
} unit_of_convs;

static const unit_of_convs convs[] = {
    {"convolutions of a unit", 5, 24, 1, true},
    {"convolutions of a unit, boxes", 12, 64, 1, true},
    {"convolutions of a unit, every second pixel", 6, 24, 2, true},
    {"convolutions of a unit, every second of odd many", 5, 24, 2, true},
    {"convolutions of a unit, every second, many channels", 16, 64, 2, true},
    {"convolutions for no tensor core", 5, 20, 1, false},
};

static chl_tensor small_conv(chl_graph *g, chl_tensor x, int channels, int stride, float phase) {
    const chl_desc w = chl_f32(4, channels, channels, 3, 3);
    return chl_conv(g, x, chl_constant(g, "w", w, numbers(chl_count(&w), 0.2f, phase)), CHL_NONE,
                    stride, 1);
}

static chl_status convolve_unit(const void *which, const way *how, result *r) {
    const unit_of_convs *c = which;
    const int channels = c->channels;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
    const chl_desc pixels = chl_f32(4, 2, c->side, c->side, channels);
    const chl_desc vector = chl_f32(1, channels);
    chl_tensor moved;
    const chl_tensor x = given_moved(g, pixels, 0.3f, &moved);
    const chl_tensor half = given(g, "half", vector, 0.5f), var = chl_mul(g, half, half);
    const chl_tensor mean = given(g, "mean", vector, 0.8f), beta = given(g, "beta", vector, 1.6f);
    const chl_tensor bent =
        chl_prelu(g, small_conv(g, x, channels, 1, 0.4f), given(g, "slope", vector, 2.1f));
    const chl_tensor y = chl_batch_norm(g, small_conv(g, bent, channels, c->stride, 1.4f),
                                        given(g, "gamma", vector, 0.2f), beta, mean, var, 0.4f);
    const chl_tensor s = gate_of(g, y, channels, 1);
    const int side = (c->side - 1) / c->stride + 1;
    const chl_tensor residual =
        chl_to_compute_type(g, given(g, "residual", chl_f32(4, 2, side, side, channels), 1.3f));
    const chl_tensor total = chl_add(g, residual, chl_channel_scale(g, y, s));
    const chl_tensor z0 =
        chl_batch_norm(g, total, given(g, "gamma2", vector, 0.4f), beta, mean, var, 0.4f);
    const chl_tensor z = chl_to_float32(g, small_conv(g, z0, channels, 1, 2.4f));
    /* not linear: its gradient would be computed once */
    const chl_tensor loss = chl_add(g, weighted(g, chl_mul(g, z, z), 0.2f),
                                    chl_scale(g, weighted(g, total, 0.9f), 0.1f));
    chl_tensor kept[4] = {chl_keep(g, chl_to_float32(g, bent)), chl_keep(g, chl_to_float32(g, y)),
                          chl_keep(g, z), CHL_NONE};
    chl_grad(g, loss, 1, &moved, kept + 3);
    chl_keep(g, kept[3]);
    return finish(g, 4, kept, r);
}

static void check_convs(const unit_of_convs *c) {
    const int want[CHL_FUSION_COUNT] = {
        [CHL_FUSION_squeeze] = 1, [CHL_FUSION_unit_end] = 1, [CHL_FUSION_unit_backward] = 1};
    const int want_half[CHL_FUSION_COUNT] = {
        [CHL_FUSION_squeeze] = !c->found,          [CHL_FUSION_unit_end] = 1,
        [CHL_FUSION_unit_backward] = !c->found,    [CHL_FUSION_conv_prelu] = c->found,
        [CHL_FUSION_conv_dx_prelu] = c->found,     [CHL_FUSION_conv_squeeze] = c->found,
        [CHL_FUSION_conv_unit_backward] = c->found};
    static const char *const what[] = {"PReLU", "the norm", "y", "gradient"};
    check_both(c->name, convolve_unit, c, want, want_half, 4, what,
               6e-2); /* as far as each is from the CPU */
}

void check_face_units(void) {
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++) check_gate(&gates[i]);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) check_unit(&units[i]);
    for (size_t i = 0; i < sizeof squeezes / sizeof *squeezes; i++) check_squeeze(&squeezes[i]);
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) check_convs(&convs[i]);
}
