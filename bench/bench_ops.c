/* Single ops, forward and backward, at the sizes of an edit and of training: seconds, bytes, FLOPs.
 *
 *     bench_ops [--device NAME] [--bf16] [--runs N] [--flush MB] [--small] [--layers N | OP]
 *
 * --layers: instead of the ops, each modulated convolution of StyleGAN2 at 1024 for N pictures,
 * which bench/peers/layers.py times in PyTorch, and cuDNN's convolution of the same shape.
 *
 * A line of JSON per op and case. Before each run a buffer larger than the caches is cleared, and
 * the time of the clearing alone is taken off: both are queued without waiting, so that the launch
 * is hidden and the op finds its tensors in memory. `bytes` counts every input and output once. */
#include "base/clock.h"
#include "graph/build.h"
#include "graph/graph_private.h"
#include "graph/rule.h"
#include "runtime/open.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *device, *only;
    bool half, small;
    int runs, layers; /* 0, or pictures */
    size_t flush;     /* bytes */
} options;

typedef struct layer { /* of the generator */
    int side, in, out; /* side of the result */
    bool up;
} layer;

typedef struct op_bench {
    const char *what;
    chl_tensor (*build)(chl_graph *g, int n); /* n: the batch */
    int batch;
} op_bench;

/* Trainable: its gradient is wanted, and no node runs at compile time only. Zeros: no op here takes
 * longer for other numbers. */
static chl_tensor weight(chl_graph *g, chl_desc desc) {
    return chl_param(g, "weight", desc, NULL, CHL_TRAINABLE);
}
static chl_tensor activation(chl_graph *g, chl_desc desc) {
    return chl_to_compute_type(g, chl_param(g, "x", desc, NULL, CHL_TRAINABLE));
}

/* --- what an edit of 8 pictures computes, and a training step of 128 clips
 * ----------------------- */
static chl_tensor norm_vit(chl_graph *g, int n) {
    return chl_layer_norm(g, activation(g, chl_f32(3, n, 50, 768)), weight(g, chl_f32(1, 768)),
                          weight(g, chl_f32(1, 768)), 1e-5f);
}
static chl_tensor norm_swin(chl_graph *g, int n) {
    return chl_layer_norm(g, activation(g, chl_f32(4, n, 56, 56, 96)), weight(g, chl_f32(1, 96)),
                          weight(g, chl_f32(1, 96)), 1e-5f);
}
static chl_tensor gelu(chl_graph *g, int n) {
    return chl_activate(g, activation(g, chl_f32(4, n, 56, 56, 384)), CHL_GELU, 0);
}
static chl_tensor attention_vit(chl_graph *g, int n) {
    return chl_attention(g, activation(g, chl_f32(3, n, 50, 3 * 768)), 12, false);
}
static chl_tensor attention_window(chl_graph *g, int n) {
    return chl_window_attention(g, activation(g, chl_f32(4, n, 56, 56, 3 * 96)),
                                weight(g, chl_f32(2, 169, 3)), 3, 7, 3);
}
static chl_tensor linear_swin(chl_graph *g, int n) {
    return chl_linear(g, activation(g, chl_f32(4, n, 14, 14, 384)),
                      weight(g, chl_f32(2, 1536, 384)), weight(g, chl_f32(1, 1536)));
}
static chl_tensor merge(chl_graph *g, int n) {
    return chl_patch_merge(g, activation(g, chl_f32(4, n, 56, 56, 96)));
}
static chl_tensor add(chl_graph *g, int n) {
    const chl_desc desc = chl_f32(4, n, 56, 56, 96);
    return chl_add(g, activation(g, desc), activation(g, desc));
}
static chl_tensor area(chl_graph *g, int n) {
    return chl_resize(g, activation(g, chl_f32(4, n, 1024, 1024, 3)), CHL_FILTER_AREA, 224, 224);
}
static chl_tensor prelu_face(chl_graph *g, int n) {
    return chl_prelu(g, activation(g, chl_f32(4, n, 112, 112, 64)), weight(g, chl_f32(1, 64)));
}
static chl_tensor pixels(chl_graph *g, int n) {
    const chl_desc desc = chl_f32(4, n, 1024, 1024, 3);
    const chl_tensor other =
        chl_to_compute_type(g, chl_input(g, "other", desc)); /* gets no gradient */
    return chl_pixel_loss(g, activation(g, desc), other, CHL_PIXEL_L2);
}
static chl_tensor contrast(chl_graph *g, int n) {
    return chl_cross_entropy(g, weight(g, chl_f32(2, n, n)), 0);
}

static const op_bench benches[] = {
    {"CLIP's tokens", norm_vit, 8},
    {"Swin's first stage", norm_swin, 128},
    {"Swin's first stage", gelu, 128},
    {"CLIP's image tower", attention_vit, 8},
    {"Swin's first stage", attention_window, 128},
    {"Swin's third stage", linear_swin, 128},
    {"Swin's first stage", merge, 128},
    {"Swin's first stage", add, 128},
    {"1024 to 224", area, 8},
    {"ArcFace's first unit", prelu_face, 8},
    {"pictures of 1024", pixels, 8},
    {"a batch of 384", contrast, 384},
};

/* --- StyleGAN2's layers at 1024, channel base 32768 ---------------------------------------------
 */
static const layer layers[] = {
    {4, 512, 512, false},   {8, 512, 512, true},   {8, 512, 512, false},   {16, 512, 512, true},
    {16, 512, 512, false},  {32, 512, 512, true},  {32, 512, 512, false},  {64, 512, 512, true},
    {64, 512, 512, false},  {128, 512, 256, true}, {128, 256, 256, false}, {256, 256, 128, true},
    {256, 128, 128, false}, {512, 128, 64, true},  {512, 64, 64, false},   {1024, 64, 32, true},
    {1024, 32, 32, false},
};

/* As in an edit: weights, noise and bias are frozen, and what depends on them only is not timed. */
static chl_tensor frozen(chl_graph *g, const char *name, chl_desc desc) {
    return chl_param(g, name, desc, NULL, CHL_FROZEN);
}
static chl_tensor modulated(chl_graph *g, int n, const layer *l) {
    const int from = l->up ? l->side / 2 : l->side;
    const chl_modconv settings = {
        .up = l->up, .gain = 1, .eps = 1e-8f, .slope = 0.2f, .act_gain = 1.41421356f};
    return chl_modulated_conv(
        g, activation(g, chl_f32(4, n, from, from, l->in)),
        frozen(g, "w", chl_f32(4, l->out, l->in, 3, 3)), weight(g, chl_f32(2, n, l->in)),
        frozen(g, "noise", chl_f32(2, l->side, l->side)), frozen(g, "strength", chl_f32(1, 1)),
        frozen(g, "b", chl_f32(1, l->out)), &settings);
}

/* --- timing ----------------------------------------------------------------------------------- */
static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds from queueing (a clearing and, with a body, the op) until all of it is done. */
static chl_status once(const chl_graph *g, const chl_body *body, const chl_call *call, void *spare,
                       size_t flush, double *seconds) {
    float waited;
    const double start = chl_seconds_now();
    if (flush) CHL_TRY(g->device->backend->clear(g->device, spare, flush));
    if (body && body->run(call) != CHL_KERNEL_OK)
        return chl_fail(CHL_ERR_INTERNAL, "the kernel failed: %s", chl_device_error(g->device));
    CHL_TRY(g->device->backend->download(g->device, &waited, spare, sizeof waited));
    *seconds = chl_seconds_now() - start;
    return CHL_OK;
}

static int64_t bytes_of(const chl_shapes *s) {
    int64_t bytes = 0;
    for (int i = 0; i < s->inputs; i++)
        if (s->present[i]) bytes += chl_bytes(&s->in[i]);
    for (int i = 0; i < s->outputs; i++)
        if (s->out[i].rank) bytes += chl_bytes(&s->out[i]);
    return bytes;
}

static void print_line(const chl_graph *g, const chl_node *node, const char *what,
                       const double *sorted, int runs) {
    chl_shapes shapes;
    chl_node_shapes(g, node, &shapes);
    const chl_rule *rule = chl_rule_of(node->op);
    char shape[96];
    chl_shape_text(&shapes.in[0], shape, sizeof shape);
    printf("{\"op\": \"%s\", \"case\": \"%s\", \"shape\": \"%s\", \"precision\": \"%s\", "
           "\"bytes\": %lld, \"flops\": %.0f, \"seconds\": {\"median\": %.9f, "
           "\"quartiles\": [%.9f, %.9f]}}\n",
           chl_op_name(node->op), what, shape, shapes.in[0].dtype == CHL_BF16 ? "bf16" : "float",
           (long long)bytes_of(&shapes), rule->flops ? rule->flops(&shapes) : 0.0,
           0.5 * (sorted[(runs - 1) / 2] + sorted[runs / 2]), sorted[runs / 4],
           sorted[runs - 1 - runs / 4]);
    fflush(stdout);
}

static chl_status time_node(const options *o, const chl_graph *g, int32_t n, const char *what,
                            void *spare) {
    const chl_node *node = &g->node[n];
    const chl_body *body = g->device->backend->body(node->op);
    double *seconds = calloc((size_t)o->runs, sizeof *seconds);
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", o->runs);
    chl_status status = CHL_OK;
    for (int i = -3; i < o->runs && status == CHL_OK; i++) { /* the first three warm up */
        double idle = 0, busy = 0;
        status = once(g, NULL, NULL, spare, o->flush, &idle);
        if (status == CHL_OK) status = once(g, body, &g->call[n], spare, o->flush, &busy);
        if (i >= 0) seconds[i] = busy - idle;
    }
    if (status == CHL_OK) {
        qsort(seconds, (size_t)o->runs, sizeof *seconds, ascending);
        print_line(g, node, what, seconds, o->runs);
    }
    free(seconds);
    return status;
}

/* Nodes that only lead to and from the op under test. */
static bool is_frame(chl_op op) {
    return op == CHL_OP_cast || op == CHL_OP_row_dot || op == CHL_OP_row_dot_backward ||
           op == CHL_OP_mean || op == CHL_OP_mean_dx;
}

/* All that leads to y, and the gradients to what is trainable. Frees the graph. */
static chl_status time_graph(const options *o, chl_graph *g, chl_tensor y, const char *what,
                             void *spare) {
    chl_tensor wrt[16], gradient[16];
    int wanted = 0;
    y = chl_to_float32(g, y);
    for (chl_tensor t = 0; t < g->tensors && wanted < 16; t++)
        if (chl_is_trainable(g, t)) wrt[wanted++] = t;
    if (y != CHL_NONE) {
        const int rows = (int)chl_desc_of(g, y)->dim[0];
        const int64_t n = chl_count(chl_desc_of(g, y));
        chl_tensor flat = chl_reshape(g, y, chl_f32(2, rows, (int)(n / rows)));
        chl_grad(g, chl_mean(g, chl_row_dot(g, flat, chl_stop_gradient(g, flat))), wanted, wrt,
                 gradient);
        for (int i = 0; i < wanted && chl_graph_status(g) == CHL_OK; i++) chl_keep(g, gradient[i]);
    }
    chl_status status = chl_compile(g);
    if (status == CHL_OK) status = chl_run(g, CHL_FIRST_SEGMENT);
    for (int32_t n = 0; n < g->nodes && status == CHL_OK; n++)
        if (!g->node[n].is_constant && !is_frame(g->node[n].op) &&
            (!o->only || strcmp(o->only, chl_op_name(g->node[n].op)) == 0))
            status = time_node(o, g, n, what, spare);
    chl_graph_free(g);
    return status;
}

static chl_status new_graph(const options *o, chl_device *device, chl_graph **g) {
    CHL_TRY(chl_graph_new(device, g));
    chl_graph_precision(*g, o->half && device->backend->bf16 ? CHL_BF16 : CHL_F32);
    return CHL_OK;
}
static chl_status time_ops(const options *o, chl_device *device, void *spare) {
    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++) {
        chl_graph *g;
        CHL_TRY(new_graph(o, device, &g));
        chl_tensor y = benches[i].build(g, o->small ? 2 : benches[i].batch);
        CHL_TRY(time_graph(o, g, y, benches[i].what, spare));
    }
    return CHL_OK;
}
static chl_status time_layers(const options *o, chl_device *device, void *spare) {
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        const layer *l = &layers[i];
        char what[48];
        snprintf(what, sizeof what, "%d %s %d to %d", l->side, l->up ? "up" : "plain", l->in,
                 l->out);
        chl_graph *g;
        CHL_TRY(new_graph(o, device, &g));
        CHL_TRY(time_graph(o, g, modulated(g, o->layers, l), what, spare));
    }
    return CHL_OK;
}

static bool parse(int argc, char **argv, options *o) {
    *o = (options){.device = "auto", .runs = 21, .flush = (size_t)256 << 20};
    for (int i = 1; i < argc; i++) {
        const bool value = i + 1 < argc;
        if (strcmp(argv[i], "--bf16") == 0)
            o->half = true;
        else if (strcmp(argv[i], "--small") == 0)
            o->small = true;
        else if (strcmp(argv[i], "--device") == 0 && value)
            o->device = argv[++i];
        else if (strcmp(argv[i], "--runs") == 0 && value)
            o->runs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--layers") == 0 && value)
            o->layers = atoi(argv[++i]);
        else if (strcmp(argv[i], "--flush") == 0 && value)
            o->flush = (size_t)atoi(argv[++i]) << 20;
        else if (argv[i][0] != '-' && !o->only)
            o->only = argv[i];
        else
            return false;
    }
    return o->runs > 0 && o->layers >= 0;
}

int main(int argc, char **argv) {
    options o;
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: bench_ops [--device NAME] [--bf16] [--runs N] [--flush MB] "
                        "[--small] [--layers N | OP]\n");
        return 2;
    }
    const char *why;
    chl_device *device = chl_device_open(o.device, &why);
    if (!device) {
        fprintf(stderr, "bench_ops: %s\n", why);
        return 1;
    }
    void *spare;
    if (device->backend->allocate(device, o.flush + 64, &spare) != CHL_OK) {
        fprintf(stderr, "bench_ops: no memory for the buffer that flushes the caches\n");
        return 1;
    }
    const chl_status status =
        o.layers ? time_layers(&o, device, spare) : time_ops(&o, device, spare);
    if (status != CHL_OK) fprintf(stderr, "bench_ops: %s\n", chl_error());
    device->backend->release(device, spare);
    chl_device_close(device);
    return status != CHL_OK;
}
