/* Calls run as one (kernels/fusion_table.h) on a GPU, emulated or not: that the graph finds them,
 * that it leaves alone what must not be fused, and that the numbers are those of the calls one by
 * one on the CPU.
 *
 *     test_fusion --device cuda [--first]        emu_fusion [--first]: end at the first failure */
#include "graph/build.h"
#include "graph/graph_private.h"
#include "nets/stylegan2.h"
#include "runtime/open.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef TEST_BACKEND_EMU
#include "emu/backend_emu.h"
#endif

enum { H = 9, W = 9, MOST = 2 * H * W * 256, READ = 6 };

static int bad;
static bool only_first;
static chl_device *gpu;

static void note_failure(void) {
    bad++;
    if (only_first) exit(1);
}

/* the same numbers for every backend */
static const float *numbers(int64_t count, float scale, float phase) {
    static float data[256 * 256 * 9];
    for (int64_t i = 0; i < count; i++) data[i] = scale * sinf(1.7f * (float)i + phase);
    return data;
}

typedef struct result {
    float data[READ][MOST];
    int64_t count[READ];
    int found[CHL_FUSION_COUNT];
} result;

/* compiles, runs, reads what was kept, counts the fused calls */
static chl_status finish(chl_graph *g, int count, const chl_tensor *kept, result *r) {
    chl_status status;
    CHL_TRY_GOTO(chl_compile(g));
    memset(r->found, 0, sizeof r->found);
    for (int32_t n = 0; n < g->nodes; n++)
        if (g->node[n].fused) r->found[g->node[n].fusion]++;
    CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
    for (int i = 0; i < count; i++) {
        r->count[i] = chl_count(chl_desc_of(g, kept[i]));
        if (r->count[i] > MOST) abort();
        CHL_TRY_GOTO(chl_read(g, kept[i], r->data[i]));
    }
done:
    chl_graph_free(g);
    return status;
}

/* the rms of the difference over the rms of what it should be */
static double apart(const result *got, const result *want, int i) {
    double wrong = 0, square = 0;
    for (int64_t k = 0; k < want->count[i]; k++) {
        const double error = (double)got->data[i][k] - (double)want->data[i][k];
        wrong += error * error;
        square += (double)want->data[i][k] * (double)want->data[i][k];
    }
    return sqrt(wrong / square);
}
static void expect_near(const char *of, const char *what, double error, double allowed) {
    if (error <= allowed) return;
    printf("FAIL: %s: %s: difference / rms %.2e, allowed %.1e\n", of, what, error, allowed);
    note_failure();
}
static void expect_found(const char *of, const result *r, const int *want) {
    for (int f = 0; f < CHL_FUSION_COUNT; f++) {
        /* where tiles are dealt otherwise, one may not have all of a pixel's channels */
        if (f == CHL_FUSION_modconv_torgb && (getenv("EMU_FILL") || getenv("CHLADNI_CUDA_FILL")))
            continue;
        if (r->found[f] == want[f]) continue;
        printf("FAIL: %s: %s found %d times instead of %d\n", of, chl_fusion_name((chl_fusion)f),
               r->found[f], want[f]);
        note_failure();
    }
}

/* --- a generator, forward and back to w ------------------------------------------------------- */
typedef struct way {
    chl_device *device;
    chl_dtype precision;
    chl_param_kind kind;
    bool no_fusion;
} way;

static chl_status generate(const chl_stylegan2_shape *shape, float clamp, const way *how,
                           result *r) {
    chl_params *params;
    chl_stylegan2_config config;
    CHL_TRY(chl_stylegan2_random(shape, 1, &params));
    CHL_TRY(chl_stylegan2_import(params, &config));
    config.conv_clamp = clamp;
    chl_graph *g;
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
    chl_net net = {.graph = g, .params = params, .kind = how->kind};
    const chl_desc latent = chl_f32(3, 2, config.rows, config.w_dim);
    const chl_tensor w = chl_constant(g, "w", latent, numbers(chl_count(&latent), 1, 0.3f));
    const chl_tensor moved = chl_param(g, "moved", latent, NULL, CHL_TRAINABLE);
    const chl_tensor picture = chl_stylegan2_synthesize(&net, &config, chl_add(g, w, moved));
    const chl_desc rows = chl_f32(2, 2, shape->resolution * shape->resolution * 3);
    const chl_tensor cotangent =
        chl_constant(g, "cotangent", rows, numbers(chl_count(&rows), 1, 1.1f));
    const chl_tensor loss = chl_mean(g, chl_row_dot(g, chl_reshape(g, picture, rows), cotangent));
    chl_tensor wrt[2] = {moved, chl_weight(&net, "synthesis.b4.conv1.bias")}, gradient[2];
    chl_grad(g, loss, how->kind == CHL_TRAINABLE ? 2 : 1, wrt, gradient);
    chl_net_done(&net);
    const chl_tensor kept[] = {chl_keep(g, picture), chl_keep(g, gradient[0])};
    const chl_status status = finish(g, 2, kept, r);
    chl_params_free(params);
    return status;
}

typedef struct specimen {
    const char *name;
    chl_stylegan2_shape shape;
    float clamp;
    int pictures; /* modconv_torgb in bf16 */
} specimen;

static const specimen specimens[] = {
    {"channels for no tensor core", {16, 192, 12, 8, 24, 2}, 0, 0},
    {"few channels", {16, 256, 24, 8, 24, 2}, 0, 0},
    {"32 to 128 channels", {32, 1024, 128, 8, 24, 2}, 0, 4},
    {"clamped", {8, 512, 64, 8, 24, 2}, 0.1f, 2},
};

static void check_generator(const specimen *s) {
    static result cpu, emu, half, half_apart;
    const way ways[] = {{chl_device_cpu(), CHL_F32, CHL_FROZEN, false},
                        {gpu, CHL_F32, CHL_FROZEN, false},
                        {gpu, CHL_BF16, CHL_FROZEN, false},
                        {gpu, CHL_BF16, CHL_FROZEN, true}};
    result *results[] = {&cpu, &emu, &half, &half_apart};
    for (int i = 0; i < 4; i++)
        if (generate(&s->shape, s->clamp, &ways[i], results[i]) != CHL_OK) {
            printf("FAIL: %s: %s\n", s->name, chl_error());
            note_failure();
            return;
        }
    int blocks = 1;
    while (4 << (blocks - 1) < s->shape.resolution) blocks++;
    const int alone[CHL_FUSION_COUNT] = {0};
    int want[CHL_FUSION_COUNT] = {[CHL_FUSION_modconv_dx_torgb_epilogue] = blocks - 1,
                                  [CHL_FUSION_modconv_dx_epilogue] = blocks - 1,
                                  [CHL_FUSION_torgb_epilogue] = 1,
                                  [CHL_FUSION_select_tokens] = 1,
                                  [CHL_FUSION_linears] = 1,
                                  [CHL_FUSION_demodulates] = 1,
                                  [CHL_FUSION_select_tokens_dx] = 1,
                                  [CHL_FUSION_linears_dx] = 1,
                                  [CHL_FUSION_demodulates_backward] = 1};
    expect_found(s->name, &cpu, alone);
    expect_found(s->name, &half_apart, alone);
    expect_found(s->name, &emu, want);
    want[CHL_FUSION_modconv_torgb] = s->pictures;
    expect_found(s->name, &half, want);
    printf("%-28s", s->name);
    for (int i = 0; i < 2; i++) {
        const char *what = i ? "gradient" : "picture";
        const double error = apart(&emu, &cpu, i), of_half = apart(&half, &cpu, i);
        const double one_by_one = apart(&half_apart, &cpu, i);
        printf(" %s: float %.1e, bf16 %.1e, one by one %.1e;", what, error, of_half, one_by_one);
        expect_near(s->name, what, error, 1e-5);
        /* what is not rounded in between can only help; a mistake is of the order of 1 */
        expect_near(s->name, what, of_half, 1.1 * one_by_one);
    }
    puts("");
}

/* Training wants sums that the fused kernels do not make. */
static void check_training(void) {
    static result cpu, emu;
    const chl_stylegan2_shape shape = {8, 256, 32, 8, 24, 2};
    const way cpu_way = {chl_device_cpu(), CHL_F32, CHL_TRAINABLE, false};
    const way emu_way = {gpu, CHL_F32, CHL_TRAINABLE, false};
    if (generate(&shape, 0, &cpu_way, &cpu) != CHL_OK ||
        generate(&shape, 0, &emu_way, &emu) != CHL_OK) {
        printf("FAIL: training: %s\n", chl_error());
        note_failure();
        return;
    }
    /* all layers but the one whose bias learns; each weight's squares are made before its layer */
    expect_found("training", &emu,
                 (int[CHL_FUSION_COUNT]){[CHL_FUSION_modconv_dx_torgb_epilogue] = 0,
                                         [CHL_FUSION_modconv_dx_epilogue] = 1,
                                         [CHL_FUSION_torgb_epilogue] = 1,
                                         [CHL_FUSION_select_tokens] = 1,
                                         [CHL_FUSION_linears] = 1,
                                         [CHL_FUSION_select_tokens_dx] = 1,
                                         [CHL_FUSION_linears_dx] = 1,
                                         [CHL_FUSION_demodulates_backward] = 1});
    expect_near("training", "gradient", apart(&emu, &cpu, 1), 1e-5);
}

/* --- two layers and ToRGB, put together so that fusing is or is not allowed ------------------- */
typedef struct shape_of_graph {
    const char *name;
    bool early;     /* ToRGB's gradient is there before the next layer's */
    bool elsewhere; /* ToRGB reads the first layer's input */
    bool reader;    /* somebody else reads y */
    bool between;   /* what ToRGB's gradient needs comes after the next layer's, whose style's
                     * gradient demodulation adds to at once */
    int found[CHL_FUSION_COUNT];
} shape_of_graph;

/* of all layers at once, wherever they stand */
#define DEMODULATION [CHL_FUSION_demodulates] = 1, [CHL_FUSION_demodulates_backward] = 1

static const shape_of_graph shapes[] = {
    {"in order", .found = {DEMODULATION, [CHL_FUSION_modconv_dx_torgb_epilogue] = 1}},
    {"ToRGB's gradient first", .early = true, .found = {DEMODULATION}},
    {"ToRGB of another layer", .elsewhere = true,
     .found = {DEMODULATION, [CHL_FUSION_modconv_dx_epilogue] = 1}},
    {"a third reader", .reader = true, .found = {DEMODULATION}},
    {"held apart", .between = true, .found = {DEMODULATION}},
};

static chl_tensor given(chl_graph *g, const char *name, chl_desc desc, float phase) {
    return chl_constant(g, name, desc, numbers(chl_count(&desc), 1, phase));
}
/* a style that learns */
static chl_tensor style(chl_graph *g, const char *name, int c, chl_tensor *learnt) {
    *learnt = chl_param(g, name, chl_f32(2, 2, c), NULL, CHL_TRAINABLE);
    return chl_add(g, *learnt, given(g, "one", chl_f32(2, 2, c), 1.3f));
}
static chl_tensor layer(chl_graph *g, chl_tensor x, chl_tensor s, float phase) {
    const int c = (int)chl_desc_of(g, s)->dim[1];
    const chl_modconv settings = {.gain = 0.1f, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.4f};
    return chl_modulated_conv(g, x, given(g, "w", chl_f32(4, c, c, 3, 3), phase), s,
                              given(g, "noise", chl_f32(3, 2, H, W), 0.7f),
                              given(g, "strength", chl_f32(1, 1), 0.7f),
                              given(g, "b", chl_f32(1, c), 0.2f), &settings);
}
/* a loss that is linear in x */
static chl_tensor weighted(chl_graph *g, chl_tensor x, float phase) {
    const chl_tensor left = chl_to_float32(g, x);
    return chl_mean(g, chl_mul(g, left, given(g, "weights", *chl_desc_of(g, left), phase)));
}

static chl_status assemble(const shape_of_graph *s, const way *how, int c, result *r) {
    chl_graph *g;
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
    const chl_tensor x = chl_to_compute_type(g, given(g, "x", chl_f32(4, 2, H, W, c), 0.1f));
    chl_tensor learnt[3], loss[3] = {CHL_NONE, CHL_NONE, CHL_NONE}, z = CHL_NONE, rgb = CHL_NONE;
    const chl_tensor s0 = style(g, "s0", c, &learnt[0]), s1 = style(g, "s1", c, &learnt[1]);
    const chl_tensor sr = style(g, "sr", c, &learnt[2]);
    const chl_tensor below = s->elsewhere ? layer(g, x, s0, 0.8f) : x,
                     y = layer(g, below, s0, 0.4f);
    if (s->reader) loss[2] = weighted(g, y, 0.6f);
    for (int turn = 0; turn < 2; turn++) {
        if (s->early == (turn == 0)) {
            z = layer(g, y, s1, 0.5f);
        } else {
            rgb = chl_to_rgb(g, s->elsewhere ? below : y, given(g, "wr", chl_f32(2, 3, c), 0.6f),
                             sr, given(g, "br", chl_f32(1, 3), 0.9f), 0.3f, 0);
            if (s->between) rgb = chl_mul(g, rgb, rgb);
        }
    }
    loss[0] = weighted(g, z, 0.2f);
    loss[1] = weighted(g, rgb, 0.8f);
    chl_tensor kept[READ] = {chl_to_float32(g, y), chl_to_float32(g, z), rgb};
    chl_grad(g, chl_sum(g, 0, s->reader ? 3 : 2, (float[]){1, 1, 1}, loss), 3, learnt, kept + 3);
    for (int i = 0; i < READ; i++) chl_keep(g, kept[i]);
    return finish(g, READ, kept, r);
}

static bool assemble_both(const shape_of_graph *s, const way *left, const way *right, int channels,
                          result *a, result *b) {
    if (assemble(s, left, channels, a) == CHL_OK && assemble(s, right, channels, b) == CHL_OK)
        return true;
    printf("FAIL: %s: %s\n", s->name, chl_error());
    note_failure();
    return false;
}
static const char *const kept_names[] = {"y", "z", "rgb", "ds0", "ds1", "dsr"};

static void check_shape(const shape_of_graph *s) {
    static result cpu, emu;
    const way cpu_way = {.device = chl_device_cpu()}, emu_way = {.device = gpu};
    if (!assemble_both(s, &cpu_way, &emu_way, 16, &cpu, &emu)) return;
    expect_found(s->name, &emu, s->found);
    for (int i = 0; i < READ; i++) expect_near(s->name, kept_names[i], apart(&emu, &cpu, i), 1e-5);
}

/* In bf16, the same paths one by one: they differ in what is rounded between two calls only. */
static void check_half(int channels) {
    static result fused, alone;
    shape_of_graph s = shapes[0];
    char name[32];
    snprintf(name, sizeof name, "%d channels in bf16", channels);
    s.name = name;
    way how = {.device = gpu, .precision = CHL_BF16}, one_by_one = how;
    one_by_one.no_fusion = true;
    if (!assemble_both(&s, &how, &one_by_one, channels, &fused, &alone)) return;
    s.found[CHL_FUSION_modconv_torgb] = channels >= 32 && channels <= 128;
    expect_found(name, &fused, s.found);
    /* ds0 goes through g and is a difference of two parts that nearly cancel */
    const double allowed[] = {1e-3, 1e-3, 2e-3, 2e-2, 1e-3, 1e-3};
    for (int i = 0; i < READ; i++) {
        const double error = apart(&fused, &alone, i);
        expect_near(name, kept_names[i], error, allowed[i]);
        if (i >= 2)
            printf("%s%s %.1e", i > 2 ? ", " : name, i > 2 ? kept_names[i] : ": rgb", error);
    }
    puts("");
}

/* --- a few calls, in float against the CPU, in bf16 against the same one by one --------------- */
typedef chl_status (*builder)(const void *which, const way *how, result *r);

static void check_both(const char *name, builder build, const void *which, const int *want,
                       const int *want_half, int outputs, const char *const *what,
                       double allowed_in_half) {
    static result cpu, fused, half, alone;
    const way ways[] = {{chl_device_cpu(), CHL_F32, CHL_FROZEN, false},
                        {gpu, CHL_F32, CHL_FROZEN, false},
                        {gpu, CHL_BF16, CHL_FROZEN, false},
                        {gpu, CHL_BF16, CHL_FROZEN, true}};
    result *results[] = {&cpu, &fused, &half, &alone};
    for (int i = 0; i < 4; i++)
        if (build(which, &ways[i], results[i]) != CHL_OK) {
            printf("FAIL: %s: %s\n", name, chl_error());
            note_failure();
            return;
        }
    expect_found(name, &fused, want);
    expect_found(name, &half, want_half);
    for (int i = 0; i < outputs; i++) {
        expect_near(name, what[i], apart(&fused, &cpu, i), 1e-5);
        expect_near(name, what[i], apart(&half, &alone, i), allowed_in_half);
    }
}
static void check_small(const char *name, builder build, const void *which, const int *want,
                        int outputs, const char *const *what, double allowed_in_half) {
    check_both(name, build, which, want, want, outputs, what, allowed_in_half);
}

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
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
    const chl_tensor moved = chl_param(g, "x", chl_f32(2, 3, c->channels), NULL, CHL_TRAINABLE);
    const chl_tensor x =
        chl_to_compute_type(g, chl_add(g, moved, given(g, "x", chl_f32(2, 3, c->channels), 0.3f)));
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
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
    const chl_desc rows = chl_f32(3, 2, 5, c->width);
    const chl_tensor moved = chl_param(g, "x", rows, NULL, CHL_TRAINABLE);
    const chl_tensor x = chl_to_compute_type(g, chl_add(g, moved, given(g, "x", rows, 0.3f)));
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
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
    const chl_desc pixels = chl_f32(4, 2, 3, 5, c->channels), vector = chl_f32(1, c->channels);
    const chl_tensor moved = chl_param(g, "x", pixels, NULL, CHL_TRAINABLE);
    const chl_tensor x = chl_to_compute_type(g, chl_add(g, moved, given(g, "x", pixels, 0.3f)));
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

static chl_status squeeze(const void *which, const way *how, result *r) {
    const squeeze_case *c = which;
    const int channels = c->channels, hidden = 5;
    chl_graph *g;
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
    const chl_desc pixels = chl_f32(4, 2, c->side, c->side, channels);
    const chl_desc vector = chl_f32(1, channels);
    const chl_tensor moved = chl_param(g, "x", pixels, NULL, CHL_TRAINABLE);
    const chl_tensor x = chl_to_compute_type(g, chl_add(g, moved, given(g, "x", pixels, 0.3f)));
    const chl_tensor half = given(g, "half", vector, 0.5f), var = chl_mul(g, half, half);
    const chl_tensor mean = given(g, "mean", vector, 0.8f);
    chl_tensor gamma = given(g, "gamma", vector, 0.2f), learnt[2] = {moved, CHL_NONE};
    if (c->learns) {
        learnt[1] = chl_param(g, "gamma", vector, NULL, CHL_TRAINABLE);
        gamma = chl_add(g, learnt[1], gamma);
    }
    const chl_tensor y =
        chl_batch_norm(g, x, gamma, given(g, "beta", vector, 1.6f), mean, var, 0.1f);
    chl_tensor s =
        chl_linear_gain(g, chl_mean_pool(g, y), given(g, "w1", chl_f32(2, hidden, channels), 0.1f),
                        CHL_NONE, 1.1f, 1);
    s = chl_activate(g, s, CHL_LEAKY_RELU, 0.1f);
    s = chl_linear_gain(g, s, given(g, "w2", chl_f32(2, channels, hidden), 0.6f), CHL_NONE, 2, 1);
    s = chl_activate(g, s, CHL_SIGMOID, 0);
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
    int side, channels;
    bool found; /* in bf16 */
} unit_of_convs;

static const unit_of_convs convs[] = {
    {"convolutions of a unit", 5, 24, true},
    {"convolutions of a unit, boxes", 12, 64, true},
    {"convolutions for no tensor core", 5, 20, false},
};

static chl_tensor small_conv(chl_graph *g, chl_tensor x, int channels, float phase) {
    const chl_desc w = chl_f32(4, channels, channels, 3, 3);
    return chl_conv(g, x, chl_constant(g, "w", w, numbers(chl_count(&w), 0.2f, phase)), CHL_NONE, 1,
                    1);
}

static chl_status convolve_unit(const void *which, const way *how, result *r) {
    const unit_of_convs *c = which;
    const int channels = c->channels, hidden = 5;
    chl_graph *g;
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
    const chl_desc pixels = chl_f32(4, 2, c->side, c->side, channels);
    const chl_desc vector = chl_f32(1, channels);
    const chl_tensor moved = chl_param(g, "x", pixels, NULL, CHL_TRAINABLE);
    const chl_tensor x = chl_to_compute_type(g, chl_add(g, moved, given(g, "x", pixels, 0.3f)));
    const chl_tensor half = given(g, "half", vector, 0.5f), var = chl_mul(g, half, half);
    const chl_tensor mean = given(g, "mean", vector, 0.8f), beta = given(g, "beta", vector, 1.6f);
    const chl_tensor bent =
        chl_prelu(g, small_conv(g, x, channels, 0.4f), given(g, "slope", vector, 2.1f));
    const chl_tensor y = chl_batch_norm(g, small_conv(g, bent, channels, 1.4f),
                                        given(g, "gamma", vector, 0.2f), beta, mean, var, 0.4f);
    chl_tensor s =
        chl_linear_gain(g, chl_mean_pool(g, y), given(g, "w1", chl_f32(2, hidden, channels), 0.1f),
                        CHL_NONE, 1.1f, 1);
    s = chl_activate(g, s, CHL_LEAKY_RELU, 0.1f);
    s = chl_linear_gain(g, s, given(g, "w2", chl_f32(2, channels, hidden), 0.6f), CHL_NONE, 1, 1);
    s = chl_activate(g, s, CHL_SIGMOID, 0);
    const chl_tensor residual = chl_to_compute_type(g, given(g, "residual", pixels, 1.3f));
    const chl_tensor total = chl_add(g, residual, chl_channel_scale(g, y, s));
    const chl_tensor z0 =
        chl_batch_norm(g, total, given(g, "gamma2", vector, 0.4f), beta, mean, var, 0.4f);
    const chl_tensor z = chl_to_float32(g, small_conv(g, z0, channels, 2.4f));
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
    CHL_TRY(chl_graph_new(how->device, &g));
    if (how->no_fusion) chl_graph_no_fusion(g);
    chl_graph_precision(g, how->precision);
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

static void check_styles(const style_case *c) {
    const int want[CHL_FUSION_COUNT] = {
        [CHL_FUSION_select_tokens] = c->found, [CHL_FUSION_linears] = c->found,
        [CHL_FUSION_demodulates] = c->found,   [CHL_FUSION_select_tokens_dx] = c->found,
        [CHL_FUSION_linears_dx] = c->found,    [CHL_FUSION_demodulates_backward] = c->found};
    static const char *const what[] = {"a style", "d", "gradient"};
    check_small(c->name, make_styles, c, want, 3, what, 1e-5); /* floats in both */
}

#ifdef TEST_BACKEND_EMU
static bool open_gpu(int argc, char **argv) {
    (void)argc;
    (void)argv;
    gpu = chl_device_emu();
    return true;
}
#else
static bool open_gpu(int argc, char **argv) {
    const char *why = "usage: test_fusion --device NAME";
    if (argc == 3 && !strcmp(argv[1], "--device")) gpu = chl_device_open(argv[2], &why);
    if (gpu && !gpu->backend->fused) why = "this backend runs all calls one by one";
    if (!gpu || !gpu->backend->fused) fprintf(stderr, "test_fusion: %s\n", why);
    return gpu && gpu->backend->fused;
}
#endif

/* What takes longest comes last: with --first most faults end the run before it. */
int main(int argc, char **argv) {
    only_first = argc > 1 && !strcmp(argv[argc - 1], "--first");
    if (!open_gpu(argc - only_first, argv)) return 1;
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++) check_styles(&styles[i]);
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++) check_gate(&gates[i]);
    for (size_t i = 0; i < sizeof residuals / sizeof *residuals; i++) check_residual(&residuals[i]);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) check_unit(&units[i]);
    for (size_t i = 0; i < sizeof squeezes / sizeof *squeezes; i++) check_squeeze(&squeezes[i]);
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) check_convs(&convs[i]);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(&shapes[i]);
    for (size_t i = 0; i < sizeof specimens / sizeof *specimens; i++)
        check_generator(&specimens[i]);
    for (int channels = 8; channels <= 256; channels *= 2) check_half(channels);
    check_training();
    if (!bad) puts("all fusions found and right");
    return bad != 0;
}
