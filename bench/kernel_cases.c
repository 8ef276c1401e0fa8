#include "kernel_cases.h"
#include <stdlib.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Trainable: its gradient is wanted, and no node runs at compile time only. */
static chl_tensor weight(chl_graph *g, chl_desc desc) {
    return chl_param(g, "weight", desc, NULL, CHL_TRAINABLE);
}
static chl_tensor activation(chl_graph *g, chl_desc desc) {
    return chl_to_compute_type(g, chl_param(g, "x", desc, NULL, CHL_TRAINABLE));
}
/* batch x the first `dims` numbers */
static chl_desc shape(int batch, const int *dim, int dims) {
    chl_desc desc = {.dtype = CHL_F32, .rank = dims + 1, .dim = {batch}};
    for (int i = 0; i < dims; i++) desc.dim[i + 1] = dim[i];
    return desc;
}

/* --- families --------------------------------------------------------------------------------- */
static chl_tensor layer_norm(chl_graph *g, int n, const kernel_case *c) {
    const int width = c->dim[c->dims - 1];
    return chl_layer_norm(g, activation(g, shape(n, c->dim, c->dims)), weight(g, chl_f32(1, width)),
                          weight(g, chl_f32(1, width)), 1e-5f);
}
static chl_tensor gelu(chl_graph *g, int n, const kernel_case *c) {
    return chl_activate(g, activation(g, shape(n, c->dim, c->dims)), CHL_GELU, 0);
}
static chl_tensor attention(chl_graph *g, int n, const kernel_case *c) {
    return chl_attention(g, activation(g, chl_f32(3, n, c->dim[0], 3 * c->dim[1])), c->dim[2],
                         false);
}
static chl_tensor window_attention(chl_graph *g, int n, const kernel_case *c) {
    const int side = c->dim[0], width = c->dim[1], heads = c->dim[2];
    return chl_window_attention(g, activation(g, chl_f32(4, n, side, side, 3 * width)),
                                weight(g, chl_f32(2, 169, heads)), heads, 7, side > 7 ? 3 : 0);
}
static chl_tensor linear(chl_graph *g, int n, const kernel_case *c) {
    const int in = c->dim[c->dims - 2], out = c->dim[c->dims - 1];
    return chl_linear(g, activation(g, shape(n, c->dim, c->dims - 1)),
                      weight(g, chl_f32(2, out, in)), weight(g, chl_f32(1, out)));
}
static chl_tensor merge(chl_graph *g, int n, const kernel_case *c) {
    return chl_patch_merge(g, activation(g, chl_f32(4, n, c->dim[0], c->dim[0], c->dim[1])));
}
static chl_tensor add(chl_graph *g, int n, const kernel_case *c) {
    const chl_desc desc = shape(n, c->dim, c->dims);
    return chl_add(g, activation(g, desc), activation(g, desc));
}
static chl_tensor area(chl_graph *g, int n, const kernel_case *c) {
    return chl_resize(g, activation(g, chl_f32(4, n, c->dim[0], c->dim[0], 3)), CHL_FILTER_AREA,
                      c->dim[1], c->dim[1]);
}
static chl_tensor prelu(chl_graph *g, int n, const kernel_case *c) {
    return chl_prelu(g, activation(g, chl_f32(4, n, c->dim[0], c->dim[0], c->dim[1])),
                     weight(g, chl_f32(1, c->dim[1])));
}
static chl_tensor pixels(chl_graph *g, int n, const kernel_case *c) {
    const chl_desc desc = chl_f32(4, n, c->dim[0], c->dim[0], 3);
    const chl_tensor other =
        chl_to_compute_type(g, chl_input(g, "other", desc)); /* gets no gradient */
    return chl_pixel_loss(g, activation(g, desc), other, CHL_PIXEL_L2);
}
static chl_tensor contrast(chl_graph *g, int n, const kernel_case *c) {
    (void)c;
    return chl_cross_entropy(g, weight(g, chl_f32(2, n, n)), 0);
}
/* As in an edit: weights, noise and bias are frozen, and what depends on them only is not timed. */
static chl_tensor frozen(chl_graph *g, const char *name, chl_desc desc) {
    const int64_t count = chl_count(&desc);
    float *data = malloc((size_t)count * sizeof *data);
    if (!data) return chl_graph_fail(g, CHL_ERR_MEMORY, "out of memory for the frozen %s", name);
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u; /* [Knuth, volume 2, 3.3.4, table 1] */
        data[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
    const chl_tensor made = chl_constant(g, name, desc, data);
    free(data);
    return made;
}
static chl_tensor linear_frozen(chl_graph *g, int n, const kernel_case *c) {
    const int in = c->dim[c->dims - 2], out = c->dim[c->dims - 1];
    return chl_linear(g, activation(g, shape(n, c->dim, c->dims - 1)),
                      frozen(g, "w", chl_f32(2, out, in)), frozen(g, "b", chl_f32(1, out)));
}
static chl_tensor modulated(chl_graph *g, int n, const kernel_case *c) {
    const int side = c->dim[0], in = c->dim[1], out = c->dim[2], up = c->dim[3];
    const int from = up ? side / 2 : side;
    const chl_modconv settings = {
        .up = up, .gain = 1, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.41421356f};
    return chl_modulated_conv(
        g, activation(g, chl_f32(4, n, from, from, in)), frozen(g, "w", chl_f32(4, out, in, 3, 3)),
        weight(g, chl_f32(2, n, in)), frozen(g, "noise", chl_f32(2, side, side)),
        frozen(g, "strength", chl_f32(1, 1)), frozen(g, "b", chl_f32(1, out)), &settings);
}

static chl_tensor convolution(chl_graph *g, int n, const kernel_case *c) {
    const int side = c->dim[0], in = c->dim[1], out = c->dim[2], kernel = c->dim[3];
    return chl_conv(g, activation(g, chl_f32(4, n, side, side, in)),
                    weight(g, chl_f32(4, out, in, kernel, kernel)), weight(g, chl_f32(1, out)),
                    c->dim[4], kernel / 2);
}

static const char *even_kernel(const int *dim, int dims) {
    (void)dims;
    return dim[3] % 2 ? NULL : "the kernel's side must be odd";
}
static const char *uneven_heads(const int *dim, int dims) {
    (void)dims;
    return dim[1] % dim[2] ? "the width must be a multiple of the heads" : NULL;
}
static const char *uneven_windows(const int *dim, int dims) {
    return dim[0] % 7 ? "the side must be a multiple of the window, 7" : uneven_heads(dim, dims);
}
static const char *odd_side(const int *dim, int dims) {
    (void)dims;
    return dim[0] % 2 ? "the side must be even" : NULL;
}
static const char *uneven_bins(const int *dim, int dims) {
    (void)dims;
    return dim[1] > dim[0] ? "the second side must be at most the first" : NULL;
}
static const char *unclear_up(const int *dim, int dims) {
    if (dim[3] > 1) return "the last number must be 0 (plain) or 1 (up-sampling)";
    return dim[3] ? odd_side(dim, dims) : NULL;
}

enum {
    NORM,
    GELU,
    ATTENTION,
    WINDOW,
    LINEAR,
    LINEAR_FROZEN,
    MERGE,
    ADD,
    RESIZE,
    PRELU,
    PIXELS,
    CONTRAST,
    CONV,
    MODCONV
};
static const kernel_family families[] = {
    [NORM] = {"layer_norm", "layer_norm layer_norm_backward", "[dims x] width", 1, 4, false, NULL,
              layer_norm},
    [GELU] = {"activation", "activation activation_dx", "[dims x] width", 1, 4, false, NULL, gelu},
    [ATTENTION] = {"attention", "attention attention_backward", "tokens x width x heads", 3, 3,
                   false, uneven_heads, attention},
    [WINDOW] = {"window_attention", "window_attention window_attention_backward",
                "side x width x heads", 3, 3, false, uneven_windows, window_attention},
    [LINEAR] = {"linear", "linear linear_dx linear_dw", "[dims x] in x out", 2, 5, false, NULL,
                linear},
    [LINEAR_FROZEN] = {"linear_frozen", "linear linear_dx", "[dims x] in x out", 2, 5, false, NULL,
                       linear_frozen},
    [MERGE] = {"patch_merge", "patch_merge patch_merge_dx", "side x width", 2, 2, false, odd_side,
               merge},
    [ADD] = {"sum", "sum", "[dims x] width", 1, 4, false, NULL, add},
    [RESIZE] = {"resize", "resize resize_dx", "side x new side", 2, 2, false, uneven_bins, area},
    [PRELU] = {"prelu", "prelu prelu_backward", "side x width", 2, 2, false, NULL, prelu},
    [PIXELS] = {"pixel_loss", "pixel_loss pixel_loss_da", "side", 1, 1, false, NULL, pixels},
    [CONTRAST] = {"cross_entropy", "cross_entropy cross_entropy_dx", "none: the batch is both", 0,
                  0, false, NULL, contrast},
    [CONV] = {"conv", "conv conv_pack conv_dx conv_dw", "side x in x out x kernel x stride", 5, 5,
              false, even_kernel, convolution},
    [MODCONV] = {"modconv",
                 "modconv modconv_dx modconv_epilogue_backward demodulate demodulate_backward",
                 "side x in x out x up", 4, 4, true, unclear_up, modulated},
};

/* --- sets ------------------------------------------------------------------------------------- */
/* what an edit of 8 pictures computes, and a training step of 128 clips */
static kernel_case paper_batch(int i) {
    static const kernel_case cases[] = {
        {"CLIP's tokens", &families[NORM], 8, 2, {50, 768}},
        {"Swin's first stage", &families[NORM], 128, 3, {56, 56, 96}},
        {"Swin's first stage", &families[GELU], 128, 3, {56, 56, 384}},
        {"CLIP's image tower", &families[ATTENTION], 8, 3, {50, 768, 12}},
        {"Swin's first stage", &families[WINDOW], 128, 3, {56, 96, 3}},
        {"Swin's third stage", &families[LINEAR], 128, 4, {14, 14, 384, 1536}},
        {"Swin's first stage", &families[MERGE], 128, 2, {56, 96}},
        {"Swin's first stage", &families[ADD], 128, 3, {56, 56, 96}},
        {"1024 to 224", &families[RESIZE], 8, 2, {1024, 224}},
        {"ArcFace's first unit", &families[PRELU], 8, 2, {112, 64}},
        {"pictures of 1024", &families[PIXELS], 8, 1, {1024}},
        {"a batch of 384", &families[CONTRAST], 384, 0, {0}},
    };
    _Static_assert(sizeof cases / sizeof *cases == 12, "the set's count");
    return cases[i];
}

/* StyleGAN2's layers, channel base 32768; the first 13 are those of a generator of 256. */
static kernel_case stylegan2(int i) {
    static const kernel_case cases[] = {
        {"4 plain 512 to 512", &families[MODCONV], 1, 4, {4, 512, 512, 0}},
        {"8 up 512 to 512", &families[MODCONV], 1, 4, {8, 512, 512, 1}},
        {"8 plain 512 to 512", &families[MODCONV], 1, 4, {8, 512, 512, 0}},
        {"16 up 512 to 512", &families[MODCONV], 1, 4, {16, 512, 512, 1}},
        {"16 plain 512 to 512", &families[MODCONV], 1, 4, {16, 512, 512, 0}},
        {"32 up 512 to 512", &families[MODCONV], 1, 4, {32, 512, 512, 1}},
        {"32 plain 512 to 512", &families[MODCONV], 1, 4, {32, 512, 512, 0}},
        {"64 up 512 to 512", &families[MODCONV], 1, 4, {64, 512, 512, 1}},
        {"64 plain 512 to 512", &families[MODCONV], 1, 4, {64, 512, 512, 0}},
        {"128 up 512 to 256", &families[MODCONV], 1, 4, {128, 512, 256, 1}},
        {"128 plain 256 to 256", &families[MODCONV], 1, 4, {128, 256, 256, 0}},
        {"256 up 256 to 128", &families[MODCONV], 1, 4, {256, 256, 128, 1}},
        {"256 plain 128 to 128", &families[MODCONV], 1, 4, {256, 128, 128, 0}},
        {"512 up 128 to 64", &families[MODCONV], 1, 4, {512, 128, 64, 1}},
        {"512 plain 64 to 64", &families[MODCONV], 1, 4, {512, 64, 64, 0}},
        {"1024 up 64 to 32", &families[MODCONV], 1, 4, {1024, 64, 32, 1}},
        {"1024 plain 32 to 32", &families[MODCONV], 1, 4, {1024, 32, 32, 0}},
    };
    _Static_assert(sizeof cases / sizeof *cases == 17, "the set's count");
    return cases[i];
}

/* Per stage of Swin-T: norm, window attention, both products of its MLP, GELU, merging, residual. */
static kernel_case swin_tiny(int i) {
    static const struct {
        const char *name;
        int side, width, heads;
    } stages[] = {{"first stage", 56, 96, 3},
                  {"second stage", 28, 192, 6},
                  {"third stage", 14, 384, 12},
                  {"fourth stage", 7, 768, 24}};
    const int s = stages[i / 7].side, w = stages[i / 7].width, h = stages[i / 7].heads;
    const kernel_case cases[] = {{NULL, &families[NORM], 1, 3, {s, s, w}},
                                 {NULL, &families[WINDOW], 1, 3, {s, w, h}},
                                 {NULL, &families[LINEAR], 1, 4, {s, s, w, 4 * w}},
                                 {NULL, &families[LINEAR], 1, 4, {s, s, 4 * w, w}},
                                 {NULL, &families[GELU], 1, 3, {s, s, 4 * w}},
                                 {NULL, &families[ADD], 1, 3, {s, s, w}},
                                 {NULL, &families[MERGE], 1, 2, {s, w}}};
    kernel_case c = cases[i % 7];
    c.what = stages[i / 7].name;
    return c;
}

static kernel_case clip_b32(int i) {
    static const kernel_case cases[] = {
        {"tokens", &families[NORM], 1, 2, {50, 768}},
        {"queries, keys, values", &families[LINEAR], 1, 3, {50, 768, 2304}},
        {"attention", &families[ATTENTION], 1, 3, {50, 768, 12}},
        {"projection", &families[LINEAR], 1, 3, {50, 768, 768}},
        {"MLP, in", &families[LINEAR], 1, 3, {50, 768, 3072}},
        {"MLP, out", &families[LINEAR], 1, 3, {50, 3072, 768}},
        {"residual", &families[ADD], 1, 2, {50, 768}},
    };
    _Static_assert(sizeof cases / sizeof *cases == 7, "the set's count");
    return cases[i];
}

/* Convolutions of ArcFace's IR-SE50, from pictures of 112 x 112. */
static kernel_case arcface(int i) {
    static const kernel_case cases[] = {
        {"first unit", &families[CONV], 1, 5, {112, 64, 64, 3, 1}},
        {"first unit, halved", &families[CONV], 1, 5, {112, 64, 64, 3, 2}},
        {"second stage", &families[CONV], 1, 5, {28, 128, 128, 3, 1}},
        {"third stage", &families[CONV], 1, 5, {14, 256, 256, 3, 1}},
        {"fourth stage", &families[CONV], 1, 5, {7, 512, 512, 3, 1}},
        {"shortcut", &families[CONV], 1, 5, {28, 128, 256, 1, 2}},
    };
    _Static_assert(sizeof cases / sizeof *cases == 6, "the set's count");
    return cases[i];
}

static const kernel_set sets[] = {
    {"paper-batch", "ops of an edit of 8 pictures and of a training step of 128 clips", 12,
     paper_batch},
    {"stylegan2-256", "modulated convolutions of StyleGAN2 at 256", 13, stylegan2},
    {"stylegan2-1024", "modulated convolutions of StyleGAN2 at 1024", 17, stylegan2},
    {"swin-tiny", "Swin-T's ops at 224 x 224, stage by stage", 27, swin_tiny}, /* no last merging */
    {"clip-b32", "ops of CLIP ViT-B/32's image tower", 7, clip_b32},
    {"arcface", "convolutions of ArcFace's IR-SE50", 6, arcface},
};

int kernel_families(void) {
    return COUNT(families);
}
const kernel_family *kernel_family_at(int i) {
    return &families[i];
}
const kernel_family *kernel_family_named(const char *name) {
    for (int i = 0; i < COUNT(families); i++)
        if (strcmp(families[i].name, name) == 0) return &families[i];
    return NULL;
}
int kernel_sets(void) {
    return COUNT(sets);
}
const kernel_set *kernel_set_at(int i) {
    return &sets[i];
}
const kernel_set *kernel_set_named(const char *name) {
    for (int i = 0; i < COUNT(sets); i++)
        if (strcmp(sets[i].name, name) == 0) return &sets[i];
    return NULL;
}
