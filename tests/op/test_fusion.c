/* Calls run as one (kernels/fusion_table.h) on a GPU, emulated or not: that the graph finds them,
 * that it leaves alone what must not be fused, and that the numbers are those of the calls one by
 * one on the CPU.
 *
 *     test_fusion --device cuda [--first]        emu_fusion [--first]: end at the first failure */
#include "fusion_check.h"
#include "nets/stylegan2.h"
#include "runtime/open.h"
#include <string.h>
#ifdef TEST_BACKEND_EMU
#include "emu/backend_emu.h"
#endif

/* --- a generator, forward and back to w ------------------------------------------------------- */
static chl_status generate(const chl_stylegan2_shape *shape, float clamp, const way *how,
                           result *r) {
    chl_params *params;
    chl_stylegan2_config config;
    CHL_TRY(chl_stylegan2_random(shape, 1, &params));
    CHL_TRY(chl_stylegan2_import(params, &config));
    config.conv_clamp = clamp;
    chl_graph *g;
    CHL_TRY(begin(how, &g));
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
                                  [CHL_FUSION_torgb_upsample] = blocks - 1,
                                  [CHL_FUSION_select_tokens] = 1,
                                  [CHL_FUSION_linears] = 1,
                                  [CHL_FUSION_demodulates] = 1,
                                  [CHL_FUSION_select_tokens_dx] = 1,
                                  [CHL_FUSION_linears_dx] = 1,
                                  [CHL_FUSION_demodulates_backward] = 1};
    expect_found(s->name, &cpu, alone);
    expect_found(s->name, &half_apart, alone);
    expect_found(s->name, &emu, want);
    if (s->pictures) { /* the first block's colours are added to none */
        want[CHL_FUSION_modconv_torgb] = 1;
        want[CHL_FUSION_modconv_torgb_upsample] = s->pictures - 1;
        want[CHL_FUSION_torgb_upsample] = 0;
    }
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
                                         [CHL_FUSION_torgb_upsample] = 1,
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
static chl_status assemble(const shape_of_graph *s, const way *how, int c, result *r) {
    chl_graph *g;
    CHL_TRY(begin(how, &g));
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
    check_styles();
    check_face_units();
    check_rows();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(&shapes[i]);
    for (size_t i = 0; i < sizeof specimens / sizeof *specimens; i++)
        check_generator(&specimens[i]);
    for (int channels = 8; channels <= 256; channels *= 2) check_half(channels);
    check_training();
    if (!bad) puts("all fusions found and right");
    return bad != 0;
}
