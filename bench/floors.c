#include "floors.h"
#include "core/graph_private.h"
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
const chl_backend *bench_paper(void) {
    static const chl_backend backend = {.version = CHL_BACKEND_VERSION,
                                        .name = "paper",
                                        .bf16 = true,
                                        .body = paper_body,
                                        .release = free};
    return &backend;
}

/* --- cost of nodes ---------------------------------------------------------------------------- */
typedef struct cost {
    const char *name;
    int calls;
    double bytes, flops, seconds, by_bytes; /* by_bytes: the seconds of nodes that bytes bound */
} cost;

/* Where `word` stands in the space-separated list, or -1. "w" also finds the optional "w?". */
static int position(const char *list, const char *word) {
    const size_t length = strlen(word);
    int at = 0;
    for (const char *s = list; s; s = strchr(s, ' '), s += s != NULL, at++)
        if (!strncmp(s, word, length) && strchr(" ?", s[length])) return at;
    return -1;
}

static const char *input_names(chl_op op) {
    static const char *const names[] = {
#define CHL_OP(name, inputs, outputs) inputs,
#include "op_table.h"
#undef CHL_OP
    };
    return names[op];
}

/* An op that is given a weight as stored and packed reads one: packed beside bf16 activations, else
 * as stored. -1: it reads all that it is given. */
static int unread_input(const chl_node *node, const chl_shapes *shapes) {
    const int w = position(input_names(node->op), "w");
    const int packed = position(input_names(node->op), "packed");
    if (w < 0 || packed < 0 || packed >= shapes->inputs || !shapes->present[packed]) return -1;
    return shapes->in[0].dtype == CHL_BF16 ? w : packed;
}

static void add_node(const chl_graph *graph, const chl_node *node, cost *total) {
    chl_shapes shapes;
    chl_node_shapes(graph, node, &shapes);
    const int unread = unread_input(node, &shapes);
    double bytes = 0;
    bool half = false;
    for (int i = 0; i < shapes.inputs; i++) {
        if (!shapes.present[i]) continue;
        half = half || shapes.in[i].dtype == CHL_BF16;
        if (i != unread) bytes += (double)chl_bytes(&shapes.in[i]);
    }
    for (int i = 0; i < shapes.outputs; i++)
        if (node->out[i] >= 0)
            bytes += (node->accumulate >> i & 1u ? 2 : 1) * (double)chl_bytes(&shapes.out[i]);
    const chl_rule *rule = chl_rule_of(node->op);
    const double flops = rule->flops ? rule->flops(&shapes) : 0;
    const double memory = bytes / BYTES_PER_SECOND;
    const double arithmetic = flops / (half ? HALF_FLOPS : FLOAT_FLOPS);
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
    cost op[CHL_OP_COUNT] = {{0}}, step = {.name = "all"};
    for (int i = 0; i < CHL_OP_COUNT; i++) op[i].name = chl_op_name((chl_op)i);
    for (int32_t n = 0; n < graph->nodes; n++)
        if (!graph->node[n].once) add_node(graph, &graph->node[n], &op[graph->node[n].op]);
    qsort(op, CHL_OP_COUNT, sizeof op[0], slowest_first);
    for (int i = 0; i < CHL_OP_COUNT; i++) {
        step.calls += op[i].calls;
        step.bytes += op[i].bytes;
        step.flops += op[i].flops;
        step.seconds += op[i].seconds;
        step.by_bytes += op[i].by_bytes;
    }
    printf("| op | calls | MB | GFLOP | floor, µs | of it bound by bytes | share |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < CHL_OP_COUNT; i++)
        if (op[i].calls) print_row(&op[i], step.seconds);
    print_row(&step, step.seconds);
}
