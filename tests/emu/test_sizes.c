/* The networks in the sizes people have them, on three GPUs: whether the launch of every kernel
 * gets the threads and the shared memory it asks for, forward and backward. Nothing is computed;
 * the paths are those that the GPU would take. */
#include "backend_emu.h"
#include "graph/build.h"
#include "nets/arcface.h"
#include "nets/clip.h"
#include "nets/layers.h"
#include "nets/stylegan2.h"
#include "nets/stylegan3.h"
#include "nets/swin.h"
#include <stdio.h>
#include <string.h>

enum { MAX_WEIGHTS = 512 };

/* --- StyleGAN2 at 1024 ------------------------------------------------------------------------ */
static chl_stylegan2_config generator;
static chl_status make_generator(chl_params **out) {
    const chl_stylegan2_shape shape = {.resolution = 1024,
                                       .channel_base = 32768,
                                       .channel_max = 512,
                                       .z_dim = 512,
                                       .w_dim = 512,
                                       .mapping_layers = 8};
    CHL_TRY(chl_stylegan2_random(&shape, 1, out));
    return chl_stylegan2_import(*out, &generator);
}
static chl_tensor build_generator(chl_net *net, chl_tensor w) {
    return chl_stylegan2_synthesize(net, &generator, w);
}

/* --- StyleGAN3-T and -R at 256 ------------------------------------------------------------------ */
static chl_stylegan3_config translates, rotates;
static chl_status make_translates(chl_params **out) {
    const chl_stylegan3_shape shape = {256, 14, 3, false, 32768, 512, 512, 512, 2};
    CHL_TRY(chl_stylegan3_random(&shape, 1, out));
    return chl_stylegan3_import(*out, &translates);
}
static chl_status make_rotates(chl_params **out) {
    const chl_stylegan3_shape shape = {256, 14, 1, true, 65536, 1024, 512, 512, 2};
    CHL_TRY(chl_stylegan3_random(&shape, 1, out));
    return chl_stylegan3_import(*out, &rotates);
}
static chl_tensor build_translates(chl_net *net, chl_tensor w) {
    return chl_stylegan3_synthesize(net, &translates, w);
}
static chl_tensor build_rotates(chl_net *net, chl_tensor w) {
    return chl_stylegan3_synthesize(net, &rotates, w);
}

/* --- CLIP ViT-B/32's image tower, ArcFace, Swin-T --------------------------------------------- */
static const chl_clip_config clip = {
    .image = {.layers = 12, .width = 768, .heads = 12, .mlp = 3072},
    .embed = 512,
    .resolution = 224,
    .patch = 32};
static chl_status make_clip(chl_params **out) {
    return chl_clip_random(&clip, 1, out);
}
static chl_tensor build_clip(chl_net *net, chl_tensor x) {
    return chl_clip_image(net, &clip, x);
}

static chl_status make_face(chl_params **out) {
    const chl_arcface_config face = chl_arcface_ir_se50();
    return chl_arcface_random(&face, 1, out);
}
static chl_tensor build_face(chl_net *net, chl_tensor x) {
    const chl_arcface_config face = chl_arcface_ir_se50();
    return chl_arcface(net, &face, x);
}

static chl_swin_config swin;
static chl_status make_swin(chl_params **out) {
    swin = chl_swin_tiny();
    CHL_TRY(chl_swin_random(&swin, 1, out));
    return chl_swin_import(*out, &swin);
}
static chl_tensor build_swin(chl_net *net, chl_tensor x) {
    return chl_unit_rows(net->graph, chl_swin(net, &swin, x));
}

typedef struct specimen {
    const char *name;
    int rank;
    int64_t input[3]; /* behind the batch */
    bool train;       /* also gradients of the weights */
    chl_status (*make)(chl_params **out);
    chl_tensor (*build)(chl_net *net, chl_tensor x);
} specimen;

static const specimen specimens[] = {
    {"StyleGAN2 1024", 3, {18, 512}, true, make_generator, build_generator},
    {"StyleGAN3-T 256", 3, {16, 512}, false, make_translates, build_translates},
    {"StyleGAN3-R 256", 3, {16, 512}, false, make_rotates, build_rotates},
    {"CLIP ViT-B/32", 4, {224, 224, 3}, false, make_clip, build_clip},
    {"IR-SE50", 4, {112, 112, 3}, false, make_face, build_face},
    {"Swin-T", 4, {224, 224, 1}, true, make_swin, build_swin},
};

/* the arrays that learn, but for those that are used under another shape */
static int weights_of(chl_net *net, chl_tensor *list) {
    int count = 0;
    for (int64_t i = 0; i < net->params->count && count < MAX_WEIGHTS; i++) {
        const chl_array *array = &net->params->array[i];
        if (array->used && !strstr(array->name, "const") && !strstr(array->name, "torgb"))
            list[count++] = chl_weight(net, "%s", array->name);
    }
    return count;
}

static void build(const specimen *s, chl_net *net, int batch) {
    chl_graph *g = net->graph;
    const int64_t dims[4] = {batch, s->input[0], s->input[1], s->input[2]};
    const chl_tensor x = chl_input(g, "x", chl_make_desc(CHL_F32, s->rank, dims));
    const chl_tensor y = s->build(net, x);
    if (chl_graph_status(g) != CHL_OK) return;
    const chl_desc rows = chl_f32(2, batch, chl_count(chl_desc_of(g, y)) / batch);
    const chl_tensor cotangent = chl_input(g, "cotangent", rows);
    const chl_tensor loss = chl_mean(g, chl_row_dot(g, chl_reshape(g, y, rows), cotangent));
    chl_tensor wrt[MAX_WEIGHTS] = {x}, gradient[MAX_WEIGHTS];
    const int count = net->kind == CHL_TRAINABLE ? weights_of(net, wrt) : 1;
    chl_grad_reached(g, loss, count, wrt, gradient);
    for (int i = 0; i < count && chl_graph_status(g) == CHL_OK; i++)
        if (gradient[i] != CHL_NONE) chl_keep(g, gradient[i]);
}

static chl_status rehearse(const specimen *s, chl_params *params, int batch, chl_dtype precision,
                           chl_param_kind kind, chl_plan *plan) {
    chl_graph *g;
    CHL_TRY(chl_graph_new(chl_device_emu(), &g));
    chl_graph_precision(g, precision);
    chl_net net = {.graph = g, .params = params, .kind = kind};
    build(s, &net, batch);
    chl_net_done(&net);
    chl_status status = chl_compile(g);
    if (status == CHL_OK) status = chl_dry_run(g, plan);
    if (status == CHL_OK) status = chl_run(g, CHL_FIRST_SEGMENT);
    chl_graph_free(g);
    return status;
}

/* on one GPU, in both precisions, one sample and eight */
static int rehearse_all(const specimen *s, chl_params *params, int sm) {
    int bad = 0;
    chl_emu_rehearse(sm);
    for (int i = 0; i < (s->train ? 8 : 4); i++) {
        const int batch = i & 1 ? 8 : 1;
        const chl_dtype precision = i & 2 ? CHL_BF16 : CHL_F32;
        const chl_param_kind kind = i & 4 ? CHL_TRAINABLE : CHL_FROZEN;
        chl_plan plan;
        const chl_status status = rehearse(s, params, batch, precision, kind, &plan);
        if (status != CHL_OK)
            printf("FAIL: %s on sm_%d, batch %d, %s, %s: %s\n", s->name, sm, batch,
                   precision == CHL_BF16 ? "bf16" : "float",
                   kind == CHL_FROZEN ? "frozen" : "trained", chl_error());
        else if (batch == 8 && precision == CHL_BF16 && kind == CHL_FROZEN)
            printf("%-16s sm_%d: 8 samples to and fro in bf16: %.2f GB beside the weights\n",
                   s->name, sm, 1e-9 * (double)plan.transient);
        bad += status != CHL_OK;
    }
    printf("%-16s sm_%d: %s\n", s->name, sm, bad ? "does not fit" : "fits");
    return bad;
}

int main(void) {
    static const int sm[] = {80, 86, 90};
    int bad = 0;
    for (size_t i = 0; i < sizeof specimens / sizeof *specimens; i++) {
        chl_params *params;
        if (specimens[i].make(&params) != CHL_OK) {
            fprintf(stderr, "FAIL: %s: %s\n", specimens[i].name, chl_error());
            return 1;
        }
        for (int gpu = 0; gpu < 3; gpu++) bad += rehearse_all(&specimens[i], params, sm[gpu]);
        chl_params_free(params);
    }
    return bad != 0;
}
