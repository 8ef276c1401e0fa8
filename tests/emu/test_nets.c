/* Whole networks on the emulated GPU, in float and in bf16, against the CPU: the unit vector they
 * end in, and the gradients of its cosine with another one to the picture and to weights at both
 * ends. Small sizes, but every kind of block: shifted windows, patch merging, causal attention,
 * strided convolution, squeeze and excitation, filtered leaky ReLU. */
#include "backend_emu.h"
#include "graph/build.h"
#include "io/weights.h"
#include "losses/losses.h"
#include "nets/arcface.h"
#include "nets/clip.h"
#include "nets/layers.h"
#include "nets/resnet18.h"
#include "nets/stylegan3.h"
#include "nets/swin.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2, EMBED = 32 /* at most */, SIDE = 28, MOST = 1 << 16, WATCHED = 3 };

typedef struct specimen {
    const char *name;
    const char *weight[WATCHED]; /* whose gradients are compared; NULL: none */
    chl_status (*make)(chl_params **out);
    chl_tensor (*build)(chl_net *net, chl_tensor picture);
    int embed;
    int channels; /* of the picture; 0: it reads tokens */
} specimen;

static void fill(float *data, int64_t count, float scale) {
    for (int64_t i = 0; i < count; i++) data[i] = scale * sinf(1.7f * (float)i + 0.3f);
}

/* --- Swin: windows of 7 in 14 x 14 patches, shifted in the second block, then 7 x 7 ------------
 */
static const chl_swin_config swin_config = {.resolution = SIDE,
                                            .channels = 1,
                                            .patch = 2,
                                            .embed = 32,
                                            .classes = EMBED,
                                            .stages = 2,
                                            .depth = {2, 1},
                                            .heads = {2, 2},
                                            .window = {7, 7},
                                            .mlp = {64, 128}};
static chl_status make_swin(chl_params **out) {
    CHL_TRY(chl_swin_random(&swin_config, 3, out));
    for (int64_t i = 0; i < (*out)->count; i++) /* livelier than a fresh network of this width */
        if ((*out)->array[i].desc.rank == 2) {
            float *w = (*out)->array[i].data;
            for (int64_t k = 0; k < chl_count(&(*out)->array[i].desc); k++) w[k] *= 6;
        }
    return CHL_OK;
}
static chl_tensor build_swin(chl_net *net, chl_tensor picture) {
    return chl_unit_rows(net->graph, chl_swin(net, &swin_config, picture));
}

/* --- CLIP's text tower -------------------------------------------------------------------------
 */
static const chl_clip_config clip_config = {
    .text = {.layers = 2, .width = 64, .heads = 2, .mlp = 128},
    .embed = EMBED,
    .context = 12,
    .vocabulary = 40};
static chl_status make_clip(chl_params **out) {
    return chl_clip_random(&clip_config, 5, out);
}
static chl_tensor build_clip(chl_net *net, chl_tensor unused) {
    (void)unused;
    int32_t ids[N * 12], end[N] = {6, 11};
    for (int i = 0; i < N * 12; i++) ids[i] = i * 7 % 40;
    const chl_tensor token =
        chl_constant(net->graph, "ids", chl_make_desc(CHL_I32, 2, (int64_t[]){N, 12}), ids);
    const chl_tensor last =
        chl_constant(net->graph, "end", chl_make_desc(CHL_I32, 1, (int64_t[]){N}), end);
    return chl_clip_text(net, &clip_config, token, last);
}

/* --- IR-SE ---------------------------------------------------------------------------------------
 */
static const chl_arcface_config face_config = {
    .units = 3,
    .unit = {{16, 16, 4, 2, false}, {16, 16, 4, 1, false}, {16, 32, 8, 2, true}},
    .width = 16,
    .embed = EMBED,
    .side = SIDE};
static chl_status make_face(chl_params **out) {
    return chl_arcface_random(&face_config, 7, out);
}
static chl_tensor build_face(chl_net *net, chl_tensor picture) {
    return chl_arcface(net, &face_config, picture);
}

/* --- the predecessor's audio encoder -------------------------------------------------------------
 */
static chl_resnet_config resnet_config;
static chl_status make_resnet(chl_params **out) {
    CHL_TRY(chl_weights_read(CHLADNI_FIXTURES "/resnet18/small.safetensors", out));
    return chl_resnet18_import(*out, &resnet_config);
}
static chl_tensor build_resnet(chl_net *net, chl_tensor picture) {
    return chl_unit_rows(net->graph, chl_resnet18(net, &resnet_config, picture));
}

/* --- StyleGAN3: NVIDIA's T and R of random weights; the unit vector is of the picture's 3 x 3 areas
 */
static chl_stylegan3_config waves_config;
static chl_status make_stylegan3_t(chl_params **out) {
    CHL_TRY(chl_weights_read(CHLADNI_FIXTURES "/stylegan3/small-t.pkl", out));
    return chl_stylegan3_import(*out, &waves_config);
}
static chl_status make_stylegan3_r(chl_params **out) {
    CHL_TRY(chl_weights_read(CHLADNI_FIXTURES "/stylegan3/small-r.pkl", out));
    return chl_stylegan3_import(*out, &waves_config);
}
static chl_tensor build_stylegan3(chl_net *net, chl_tensor unused) {
    (void)unused;
    float codes[N * 8 * 24];
    chl_graph *g = net->graph;
    fill(codes, N * 8 * 24, 1.5f);
    const chl_tensor w = chl_constant(g, "codes", chl_f32(3, N, 8, 24), codes);
    const chl_tensor picture = chl_stylegan3_synthesize(net, &waves_config, w);
    const chl_tensor areas = chl_resize(g, picture, CHL_FILTER_AREA, 3, 3);
    return chl_unit_rows(g, chl_reshape(g, areas, chl_f32(2, N, 27)));
}

static const specimen specimens[] = {
    {"swin",
     {"patch_embed.proj.weight", "layers.0.blocks.1.attn.qkv.weight",
      "layers.1.blocks.0.mlp.fc2.weight"},
     make_swin,
     build_swin,
     EMBED,
     1},
    {"clip text",
     {"token_embedding.weight", "transformer.resblocks.0.attn.in_proj_weight",
      "text_projection.weight"},
     make_clip,
     build_clip,
     EMBED,
     0},
    {"ir-se", {NULL}, make_face, build_face, EMBED, 3},
    {"resnet-18", {NULL}, make_resnet, build_resnet, 12, 1},
    {"stylegan3-t",
     {"synthesis.input.affine.weight", "synthesis.L0_36_20.weight", "synthesis.L3_52_7.bias"},
     make_stylegan3_t,
     build_stylegan3,
     27,
     0},
    {"stylegan3-r",
     {"synthesis.input.weight", "synthesis.L2_52_11.affine.weight", "synthesis.L4_52_4.weight"},
     make_stylegan3_r,
     build_stylegan3,
     27,
     0},
};

/* --- one network on one backend ----------------------------------------------------------------
 */
typedef struct result {
    float embedding[N * EMBED], gradient[WATCHED + 1][MOST];
    int64_t count[WATCHED + 1];
} result;

static chl_status run(const specimen *s, chl_params *params, chl_device *device,
                      chl_dtype precision, result *r) {
    static float pixels[N * SIDE * SIDE * 3];
    float other[N * EMBED];
    fill(pixels, N * SIDE * SIDE * 3, 1);
    fill(other, N * s->embed, 0.25f);
    chl_graph *g;
    CHL_TRY(chl_graph_new(device, &g));
    chl_graph_precision(g, precision);
    chl_net net = {.graph = g, .params = params, .kind = s->weight[0] ? CHL_TRAINABLE : CHL_FROZEN};
    chl_tensor wrt[WATCHED + 1], gradient[WATCHED + 1], picture = CHL_NONE;
    int watched = 0;
    if (s->channels)
        wrt[watched++] = picture =
            chl_param(g, "picture", chl_f32(4, N, SIDE, SIDE, s->channels), pixels, CHL_TRAINABLE);
    const chl_tensor y = chl_keep(g, s->build(&net, picture));
    for (int i = 0; i < WATCHED && s->weight[i]; i++)
        wrt[watched++] = chl_weight(&net, "%s", s->weight[i]);
    const chl_tensor loss = chl_mean(
        g, chl_cosine_loss(g, y, chl_constant(g, "other", chl_f32(2, N, s->embed), other)));
    chl_grad(g, loss, watched, wrt, gradient);
    for (int i = 0; i < watched; i++) chl_keep(g, gradient[i]);
    chl_net_done(&net);
    chl_status status;
    CHL_TRY_GOTO(chl_compile(g));
    CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
    CHL_TRY_GOTO(chl_read(g, y, r->embedding));
    for (int i = 0; i < watched; i++) {
        r->count[i] = chl_count(chl_desc_of(g, gradient[i]));
        if (r->count[i] > MOST) return chl_fail(CHL_ERR_INTERNAL, "MOST is too small");
        CHL_TRY_GOTO(chl_read(g, gradient[i], r->gradient[i]));
    }
done:
    chl_graph_free(g);
    return status;
}

/* |got - want| / |want| */
static double apart(const float *got, const float *want, int64_t count) {
    double off = 0, whole = 0;
    for (int64_t i = 0; i < count; i++) {
        off += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        whole += (double)want[i] * (double)want[i];
    }
    return sqrt(off / whole);
}

static int compare(const specimen *s, const char *precision, const result *got, const result *want,
                   double forward, double backward) {
    double worst = 0;
    const double y = apart(got->embedding, want->embedding, N * s->embed);
    for (int i = 0; i < WATCHED + 1 && want->count[i]; i++) {
        const double off = apart(got->gradient[i], want->gradient[i], want->count[i]);
        if (!(off <= worst)) worst = off;
    }
    printf("%-10s %-5s embedding %.1e of %.0e, worst gradient %.1e of %.0e\n", s->name, precision,
           y, forward, worst, backward);
    return !(y <= forward) || !(worst <= backward);
}

static chl_status check(const specimen *s, int *bad) {
    static result cpu, whole, half;
    chl_params *params;
    chl_status status;
    memset(&cpu, 0, sizeof cpu);
    CHL_TRY(s->make(&params));
    CHL_TRY_GOTO(run(s, params, chl_device_cpu(), CHL_F32, &cpu));
    CHL_TRY_GOTO(run(s, params, chl_device_emu(), CHL_F32, &whole));
    CHL_TRY_GOTO(run(s, params, chl_device_emu(), CHL_BF16, &half));
    /* where rounding turns the sign of a unit, as it does in StyleGAN3-R built for AVX2, it is 4e-4 */
    const bool turns = strcmp(s->name, "stylegan3-r") == 0;
    *bad += compare(s, "float", &whole, &cpu, 1e-5, turns ? 1e-3 : 1e-4);
    *bad += compare(s, "bf16", &half, &cpu, 2e-2, 6e-2);
done:
    chl_params_free(params);
    return status;
}

int main(void) {
    int bad = 0;
    for (size_t i = 0; i < sizeof specimens / sizeof specimens[0]; i++)
        if (check(&specimens[i], &bad) != CHL_OK) {
            fprintf(stderr, "FAIL: %s: %s\n", specimens[i].name, chl_error());
            return 1;
        }
    return bad != 0;
}
