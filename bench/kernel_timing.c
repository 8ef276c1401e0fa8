#include "kernel_timing.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
kernel_spread kernel_spread_of(double *seconds, int n) {
    qsort(seconds, (size_t)n, sizeof *seconds, ascending);
    return (kernel_spread){.median = 0.5 * (seconds[(n - 1) / 2] + seconds[n / 2]),
                           .low = seconds[n / 4],
                           .high = seconds[n - 1 - n / 4]};
}

/* --- one run ---------------------------------------------------------------------------------- */
/* Seconds from queueing (a clearing and, with `run`, the op) until all of it is done. */
static chl_status queued(const kernel_settings *s, chl_kernel_status (*run)(void *user), void *user,
                         double *seconds) {
    float waited;
    const double start = chl_seconds_now();
    if (s->flush) CHL_TRY(s->device->backend->clear(s->device, s->spare, s->flush));
    if (run && run(user) != CHL_KERNEL_OK)
        return chl_fail(CHL_ERR_INTERNAL, "the kernel failed: %s", chl_device_error(s->device));
    CHL_TRY(s->device->backend->download(s->device, &waited, s->spare, sizeof waited));
    *seconds = chl_seconds_now() - start;
    return CHL_OK;
}

static double seconds_now(const kernel_settings *s) {
    struct timespec t;
    if (!s->processor) return chl_seconds_now();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

chl_status kernel_run_other(const kernel_settings *s, chl_kernel_status (*run)(void *user),
                            void *user, double *seconds) {
    if (!s->device->backend->host_memory) {
        double idle = 0;
        CHL_TRY(queued(s, NULL, NULL, &idle));
        CHL_TRY(queued(s, run, user, seconds));
        *seconds -= idle;
        return CHL_OK;
    }
    if (s->flush) CHL_TRY(s->device->backend->clear(s->device, s->spare, s->flush));
    const double start = seconds_now(s);
    if (run(user) != CHL_KERNEL_OK)
        return chl_fail(CHL_ERR_INTERNAL, "the kernel failed: %s", chl_device_error(s->device));
    *seconds = seconds_now(s) - start;
    return CHL_OK;
}

static chl_kernel_status run_body(void *user) {
    const kernel_node *n = user;
    return n->settings->device->backend->body(n->node->op)->run(n->call);
}
chl_status kernel_run(const kernel_node *node, double *seconds) {
    kernel_node copy = *node;
    return kernel_run_other(node->settings, run_body, &copy, seconds);
}

chl_status kernel_time(const kernel_node *node, double *seconds) {
    for (int i = -KERNEL_WARM; i < node->settings->runs; i++) {
        double taken = 0;
        CHL_TRY(kernel_run(node, &taken));
        if (i >= 0) seconds[i] = taken;
    }
    return CHL_OK;
}

/* --- the graph -------------------------------------------------------------------------------- */
static int64_t bytes_of(const chl_shapes *s) {
    int64_t bytes = 0;
    for (int i = 0; i < s->inputs; i++)
        if (s->present[i]) bytes += chl_bytes(&s->in[i]);
    for (int i = 0; i < s->outputs; i++)
        if (s->out[i].rank) bytes += chl_bytes(&s->out[i]);
    return bytes;
}

/* Nodes that only lead to and from the op under test. */
static bool is_frame(chl_op op) {
    return op == CHL_OP_cast || op == CHL_OP_row_dot || op == CHL_OP_row_dot_backward ||
           op == CHL_OP_mean || op == CHL_OP_mean_dx;
}

/* Appends the gradients to what is trainable. */
static void append_gradients(chl_graph *g, chl_tensor y) {
    chl_tensor wrt[16], gradient[16];
    int wanted = 0;
    y = chl_to_float32(g, y);
    for (chl_tensor t = 0; t < g->tensors && wanted < 16; t++)
        if (chl_is_trainable(g, t)) wrt[wanted++] = t;
    if (y == CHL_NONE) return;
    const int rows = (int)chl_desc_of(g, y)->dim[0];
    const int64_t n = chl_count(chl_desc_of(g, y));
    chl_tensor flat = chl_reshape(g, y, chl_f32(2, rows, (int)(n / rows)));
    chl_grad(g, chl_mean(g, chl_row_dot(g, flat, chl_stop_gradient(g, flat))), wanted, wrt,
             gradient);
    for (int i = 0; i < wanted && chl_graph_status(g) == CHL_OK; i++) chl_keep(g, gradient[i]);
}

/* Uniform in [-1, 1), by a linear congruence [Knuth, MMIX]; the same on every backend. */
static chl_status write_numbers(chl_graph *g) {
    uint64_t written = 0;
    for (chl_tensor t = 0; t < g->tensors; t++) {
        const chl_tensor_info *info = chl_info(g, t);
        if (info->root != t || !info->data ||
            (info->kind != KIND_TRAINABLE && info->kind != KIND_INPUT))
            continue;
        const chl_desc *desc = chl_desc_of(g, t);
        const int64_t count = chl_count(desc);
        float *data = malloc((size_t)chl_bytes(desc));
        if (!data) return chl_fail(CHL_ERR_MEMORY, "out of memory for a kernel's input");
        uint64_t state = ++written;
        for (int64_t i = 0; i < count; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            data[i] = (float)(state >> 40) * 0x1p-23f - 1;
        }
        const chl_status status = chl_write(g, t, data);
        free(data);
        CHL_TRY(status);
    }
    return CHL_OK;
}

static chl_status visit_node(const kernel_settings *s, const kernel_case *c, int batch,
                             const chl_graph *g, int32_t n, kernel_visit *visit, void *user) {
    chl_shapes shapes;
    chl_node_shapes(g, &g->node[n], &shapes);
    const chl_rule *rule = chl_rule_of(g->node[n].op);
    kernel_node node = {.settings = s,
                        .of = c,
                        .graph = g,
                        .node = &g->node[n],
                        .call = &g->call[n],
                        .batch = batch,
                        .name = chl_op_name(g->node[n].op),
                        .precision = shapes.in[0].dtype == CHL_BF16 ? "bf16" : "float",
                        .bytes = bytes_of(&shapes),
                        .flops = rule->flops ? rule->flops(&shapes) : 0,
                        .difference = -1};
    chl_shape_text(&shapes.in[0], node.shape, sizeof node.shape);
    chl_path_of(g, node.node->op, node.call, node.path, sizeof node.path);
    return visit(user, &node);
}

/* Results that would share memory with later ones. */
static void keep_results(chl_graph *g) {
    for (chl_tensor t = 1; t < g->tensors; t++)
        if (chl_info(g, t)->kind == KIND_NODE && !chl_info(g, t)->is_constant) chl_keep(g, t);
}

chl_status kernel_graph(const kernel_settings *s, const kernel_case *c, int batch, bool keep,
                        chl_graph **out) {
    CHL_TRY(chl_graph_new(s->device, out));
    chl_graph *g = *out;
    chl_graph_precision(g, s->half && s->device->backend->bf16 ? CHL_BF16 : CHL_F32);
    chl_graph_no_fusion(g); /* nodes are called one by one */
    if (s->path) chl_graph_path(g, s->path);
    append_gradients(g, c->family->build(g, batch, c));
    if (keep && chl_graph_status(g) == CHL_OK) keep_results(g);
    chl_status status = chl_compile(g);
    if (status == CHL_OK && s->numbers) status = write_numbers(g);
    if (status == CHL_OK) status = chl_run(g, CHL_FIRST_SEGMENT);
    if (status == CHL_OK) return CHL_OK;
    chl_graph_free(g);
    *out = NULL;
    return status;
}

int32_t kernel_next(const chl_graph *g, int32_t n) {
    while (n < g->nodes && (g->node[n].is_constant || is_frame(g->node[n].op))) n++;
    return n;
}

chl_status kernel_nodes(const kernel_settings *s, const kernel_case *c, int batch,
                        kernel_visit *visit, void *user) {
    chl_graph *g;
    CHL_TRY(kernel_graph(s, c, batch, false, &g));
    chl_status status = CHL_OK;
    for (int32_t n = kernel_next(g, 0); n < g->nodes && status == CHL_OK; n = kernel_next(g, n + 1))
        status = visit_node(s, c, batch, g, n, visit, user);
    chl_graph_free(g);
    return status;
}
