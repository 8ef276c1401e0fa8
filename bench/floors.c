#include "floors.h"
#include "fusion.h"
#include "graph/graph_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An H100 SXM. Measured: a copy, dense products in bf16. From the datasheet: float arithmetic. */
#define BYTES_PER_SECOND 3.0e12
#define HALF_FLOPS 790e12
#define FLOAT_FLOPS 67e12

/* --- the backend on paper --------------------------------------------------------------------- */
/* kernels/cuda: a packed weight is a copy in bf16 */
static size_t packed_bytes(const chl_call *call) {
    return (size_t)chl_count(&call->in_desc[0]) * (size_t)chl_item_bytes(CHL_BF16);
}
static const chl_body *paper_body(chl_op op) {
    static const chl_body body = {.opaque = packed_bytes};
    (void)op;
    return &body;
}
static const chl_fused_body *paper_fused(chl_fusion fusion) {
    static const chl_fused_body bodies[CHL_FUSION_COUNT] = {
        [CHL_FUSION_modconv_dx_torgb_epilogue] = {.fits = chl_dx_torgb_epilogue_fits},
        [CHL_FUSION_modconv_dx_epilogue] = {.fits = chl_dx_epilogue_fits},
        [CHL_FUSION_torgb_epilogue] = {.fits = chl_torgb_epilogue_fits},
        [CHL_FUSION_modconv_torgb] = {.fits = chl_modconv_torgb_fits},
        [CHL_FUSION_modconv_torgb_upsample] = {.fits = chl_modconv_torgb_upsample_fits},
        [CHL_FUSION_torgb_upsample] = {.fits = chl_torgb_upsample_fits},
        [CHL_FUSION_upsample_chain] = {.fits = chl_upsample_chain_fits},
        [CHL_FUSION_cosine] = {.fits = chl_cosine_fits},
        [CHL_FUSION_cosine_dx] = {.fits = chl_cosine_dx_fits},
        [CHL_FUSION_mean_of_sums] = {.fits = chl_mean_of_sums_fits},
        [CHL_FUSION_conv_prelu] = {.fits = chl_conv_prelu_fits},
        [CHL_FUSION_conv_dx_prelu] = {.fits = chl_conv_dx_prelu_fits},
        [CHL_FUSION_conv_squeeze] = {.fits = chl_conv_squeeze_fits},
        [CHL_FUSION_conv_unit_backward] = {.fits = chl_conv_unit_backward_fits},
        [CHL_FUSION_squeeze] = {.fits = chl_squeeze_fits},
        [CHL_FUSION_unit_backward] = {.fits = chl_unit_backward_fits},
        [CHL_FUSION_gate] = {.fits = chl_gate_fits},
        [CHL_FUSION_gate_backward] = {.fits = chl_gate_backward_fits},
        [CHL_FUSION_linear_activation] = {.fits = chl_linear_activation_fits},
        [CHL_FUSION_linear_dx_activation] = {.fits = chl_linear_dx_activation_fits},
        [CHL_FUSION_sum_layer_norm] = {.fits = chl_sum_layer_norm_fits},
        [CHL_FUSION_select_tokens] = {.fits = chl_selects_style},
        [CHL_FUSION_linears] = {.fits = chl_makes_style},
        [CHL_FUSION_demodulates] = {.fits = chl_demodulates_style},
        [CHL_FUSION_select_tokens_dx] = {.fits = chl_selects_style_dx},
        [CHL_FUSION_linears_dx] = {.fits = chl_makes_style_dx},
        [CHL_FUSION_demodulates_backward] = {.fits = chl_demodulates_style_backward},
        [CHL_FUSION_unit_end] = {.fits = chl_unit_end_fits}};
    return &bodies[fusion];
}
static bool paper_packs_linear(const chl_call *linear) { /* as kernels/cuda/ops/linear.cu */
    return linear->in_desc[0].dtype == CHL_BF16;
}
static void release(chl_device *device, void *memory) {
    (void)device;
    free(memory);
}
chl_device *bench_paper(void) {
    static const chl_backend backend = {.version = CHL_BACKEND_VERSION,
                                        .name = "paper",
                                        .alignment = 64,
                                        .bf16 = true,
                                        .body = paper_body,
                                        .fused = paper_fused,
                                        .packs_linear = paper_packs_linear,
                                        .release = release};
    static chl_device device = {.backend = &backend, .name = "paper"};
    return &device;
}

/* --- cost of nodes ---------------------------------------------------------------------------- */
typedef struct cost {
    const char *name;
    int calls;
    double bytes, flops, seconds, by_bytes; /* by_bytes: the seconds of nodes that bytes bound */
} cost;

/* An op that is given a weight as stored and packed reads one: packed beside bf16 activations, else
 * as stored. -1: it reads all that it is given. */
static int unread_input(const chl_node *node, const chl_shapes *shapes) {
    const int w = chl_input_slot(node->op, "w", 1), packed = chl_input_slot(node->op, "packed", 6);
    if (w < 0 || packed < 0 || packed >= shapes->inputs || !shapes->present[packed]) return -1;
    return shapes->in[0].dtype == CHL_BF16 ? w : packed;
}

/* Does one of the nodes `from` to `to` read or write the tensor? */
static bool touched(const chl_graph *graph, const chl_node *from, const chl_node *to,
                    chl_tensor root) {
    for (; from < to; from++)
        if (chl_node_reads(graph, from, root) || chl_node_writes(graph, from, root)) return true;
    return false;
}

/* Fused calls read or write each tensor once, and an elided tensor never. */
static double bytes_of(const chl_graph *graph, const chl_node *node) {
    const chl_node *first = node - node->fused_index;
    chl_shapes shapes;
    chl_node_shapes(graph, node, &shapes);
    const int unread = unread_input(node, &shapes);
    double bytes = 0;
    for (int i = 0; i < shapes.inputs; i++) {
        if (!shapes.present[i] || i == unread) continue;
        const chl_tensor root = graph->tensor[node->in[i]].root;
        if (!touched(graph, first, node, root) && !graph->tensor[root].elided)
            bytes += (double)chl_bytes(&shapes.in[i]);
    }
    for (int i = 0; i < shapes.outputs; i++)
        if (node->out[i] > CHL_NONE && !graph->tensor[graph->tensor[node->out[i]].root].elided)
            bytes += (node->accumulate >> i & 1u ? 2 : 1) * (double)chl_bytes(&shapes.out[i]);
    return bytes;
}

static bool has_half(const chl_graph *graph, const chl_node *node) {
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] != CHL_NONE && graph->tensor[node->in[i]].desc.dtype == CHL_BF16)
            return true;
    return false;
}

/* a node, or the nodes that are one call */
static void add_call(const chl_graph *graph, const chl_node *node, cost *total) {
    double bytes = 0, flops = 0;
    for (int i = 0; i < (node->fused ? node->fused_count : 1); i++) {
        const chl_rule *rule = chl_rule_of(node[i].op);
        chl_shapes shapes;
        chl_node_shapes(graph, node + i, &shapes);
        bytes += bytes_of(graph, node + i);
        flops += rule->flops ? rule->flops(&shapes) : 0;
    }
    const double memory = bytes / BYTES_PER_SECOND;
    const double arithmetic = flops / (has_half(graph, node) ? HALF_FLOPS : FLOAT_FLOPS);
    total->calls++;
    total->bytes += bytes;
    total->flops += flops;
    total->seconds += memory > arithmetic ? memory : arithmetic;
    total->by_bytes += memory > arithmetic ? memory : 0;
}

/* --- the table -------------------------------------------------------------------------------- */
static int slowest_first(const void *left, const void *right) {
    const cost *a = left, *b = right;
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? 1 : -1;
    return strcmp(a->name, b->name); /* a total order: the same table everywhere */
}

static void print_row(const cost *c, double step) {
    printf("| %s | %d | %.2f | %.3f | %.1f | %.0f %% | %.1f %% |\n", c->name, c->calls,
           1e-6 * c->bytes, 1e-9 * c->flops, 1e6 * c->seconds,
           c->seconds > 0 ? 100 * c->by_bytes / c->seconds : 0, 100 * c->seconds / step);
}

void bench_print_floors(const chl_graph *graph) {
    enum { ROWS = CHL_OP_COUNT + CHL_FUSION_COUNT };
    cost row[ROWS] = {{0}}, step = {.name = "all"};
    for (int i = 0; i < CHL_OP_COUNT; i++) row[i].name = chl_op_name((chl_op)i);
    for (int i = 0; i < CHL_FUSION_COUNT; i++)
        row[CHL_OP_COUNT + i].name = chl_fusion_name((chl_fusion)i);
    for (int32_t n = 0; n < graph->nodes; n++) {
        const chl_node *node = &graph->node[n];
        if (node->is_constant || node->fused_index) continue;
        add_call(graph, node, &row[node->fused ? CHL_OP_COUNT + (int)node->fusion : (int)node->op]);
    }
    qsort(row, ROWS, sizeof row[0], slowest_first);
    for (int i = 0; i < ROWS; i++) {
        step.calls += row[i].calls;
        step.bytes += row[i].bytes;
        step.flops += row[i].flops;
        step.seconds += row[i].seconds;
        step.by_bytes += row[i].by_bytes;
    }
    printf("| op | calls | MB | GFLOP | floor, µs | of it bound by bytes | share |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < ROWS; i++)
        if (row[i].calls) print_row(&row[i], step.seconds);
    print_row(&step, step.seconds);
}
