/* Reverse-mode differentiation [Linnainmaa 1970; Griewank & Walther 2008, chapter 3].
 *
 * Idea: one loop over the nodes, last to first. Each node turns the gradients of its outputs into
 * gradients of its inputs; the rule of its op (host/graph/ops) appends ordinary nodes for that.
 * Where a tensor is used several times its gradient is the sum of what the uses contribute.
 *
 * Every contribution is a new tensor and adding two of them is an ordinary `sum` node. Nothing is
 * updated in place, so each tensor has one producer and the result can be differentiated again:
 *
 *     y = mul(x, x)        chl_grad(mean(y), x):   a = mul(dy, x)   b = mul(dy, x)   dx = sum(a, b)
 *                          chl_grad(f(dx), x):     through the sum into both products
 *
 * Which of these sums are computed by adding into existing memory is decided when memory is planned
 * (accumulate.c). So the residual connections of a transformer cost nothing in the backward pass:
 * the gradient of a sum's input is the same tensor as the gradient of its output, without a copy.
 *
 * Guarantees: only what lies between the loss and `wrt` is built. A node without a gradient rule on
 * that path is an error that names the op; so is an update in place (an optimiser's step).
 * Limit: scalar losses, by chl_grad; a rule that is composed of other ops uses chl_pull_back, which
 * takes any outputs and their gradients, and chl_grad_onward goes on from a gradient that is known. */
#include "graph/graph_private.h"
#include <stdlib.h>

typedef struct chl_gradient_table {
    chl_tensor *of;    /* by origin; CHL_NONE = none yet */
    bool *needed;      /* by origin: depends on something asked for */
    uint8_t *updates;  /* by origin: how many nodes before here update it by something needed */
    int32_t tensors;   /* those that existed before the first gradient node */
    int32_t from_node; /* nodes before it depend on nothing asked for */
} gradient_table;

/* A gradient is kept under the tensor that a chain of reshapes starts from. chl_stop_gradient
 * starts a chain of its own. */
static chl_tensor origin_of(const chl_graph *graph, chl_tensor t) {
    while (graph->tensor[t].view_of != CHL_NONE && !graph->tensor[t].stop)
        t = graph->tensor[t].view_of;
    return t;
}

static bool is_needed(const chl_graph *graph, const gradient_table *table, chl_tensor t) {
    if (t == CHL_NONE) return false;
    const chl_tensor origin = origin_of(graph, t);
    return table->needed[origin] || table->updates[origin] > 0;
}

/* Marks every tensor that depends on one of `wrt`; nodes stand in the order of execution. */
static void mark_needed(const chl_graph *graph, gradient_table *table, int count,
                        const chl_tensor *wrt) {
    for (int i = 0; i < count; i++) table->needed[wrt[i]] = true;
    for (int32_t n = table->from_node; n < graph->nodes; n++) {
        const chl_node *node = &graph->node[n];
        bool needed = false;
        for (int i = 0; i < node->inputs; i++)
            needed = needed || is_needed(graph, table, node->in[i]);
        for (int i = 0; needed && i < node->outputs; i++) {
            const chl_tensor t = node->out[i];
            if (t <= CHL_NONE) continue;
            if (!node->accumulate)
                table->needed[t] = true;
            else if (table->updates[t] < UINT8_MAX)
                table->updates[t]++;
        }
    }
}

/* --- contributions ---------------------------------------------------------------------------- */
static void add_contribution(chl_gradient *context, chl_tensor origin, chl_tensor contribution,
                             chl_gradient_sum kind) {
    chl_graph *graph = context->graph;
    chl_tensor *slot = &context->table->of[origin];
    if (*slot == CHL_NONE) {
        *slot = contribution;
        return;
    }
    const chl_tensor shaped = chl_reshape(graph, contribution, *chl_desc_of(graph, *slot));
    const chl_node node = {.op = CHL_OP_sum,
                           .inputs = 2,
                           .outputs = 1,
                           .in = {*slot, shaped},
                           .out = {CHL_FRESH},
                           .attr = {.sum = {.c = {1, 1}}},
                           .gradient_sum = kind,
                           .every_run = true};
    chl_append(graph, &node, slot);
}

void chl_backprop_same(chl_gradient *context, int input, chl_tensor gradient) {
    if (!context->wanted[input] || gradient == CHL_NONE) return;
    add_contribution(context, origin_of(context->graph, context->node.in[input]), gradient,
                     CHL_SUM_OF_SHARED);
}

void chl_backprop(chl_gradient *context, chl_op op, const chl_attributes *attr, int inputs,
                  const chl_tensor *in, int outputs, const int *target, chl_tensor *out) {
    chl_graph *graph = context->graph;
    gradient_table *table = context->table;
    chl_node node = {.op = op, .inputs = inputs, .outputs = outputs};
    chl_tensor origin[CHL_MAX_OUT], made[CHL_MAX_OUT];
    bool any = false;
    if (attr) node.attr = *attr;
    for (int i = 0; i < inputs; i++) node.in[i] = in[i];
    for (int i = 0; i < outputs; i++) {
        const bool wanted = target[i] >= 0 && context->wanted[target[i]];
        origin[i] = wanted ? origin_of(graph, context->node.in[target[i]]) : CHL_NONE;
        node.out[i] = wanted || target[i] == CHL_FRESH ? CHL_FRESH : CHL_NONE;
        any = any || node.out[i] == CHL_FRESH;
        /* what will be added into memory that changes has to be computed in every run */
        node.every_run = node.every_run || (wanted && table->of[origin[i]] != CHL_NONE);
        if (out) out[i] = CHL_NONE;
    }
    if (!any || graph->status != CHL_OK) return;
    chl_append(graph, &node, made);
    for (int i = 0; i < outputs && graph->status == CHL_OK; i++) {
        if (out) out[i] = made[i];
        if (origin[i] == CHL_NONE) continue;
        const chl_desc *want = chl_desc_of(graph, origin[i]), *got = chl_desc_of(graph, made[i]);
        if (chl_count(want) != chl_count(got))
            chl_graph_fail(graph, CHL_ERR_INTERNAL, "%s: gradient %d has the wrong size",
                           chl_op_name(op), i);
        else
            add_contribution(context, origin[i], made[i], CHL_SUM_OF_OWN);
    }
}

void chl_backprop_one(chl_gradient *context, int input, chl_op op, const chl_attributes *attr) {
    chl_backprop(context, op, attr, 1, context->dout, 1, &input, NULL);
}

/* --- the loop --------------------------------------------------------------------------------- */
static void differentiate(chl_gradient *context, int32_t index) {
    chl_graph *graph = context->graph;
    gradient_table *table = context->table;
    context->node = graph->node[index];
    const chl_node *node = &context->node;
    bool reached = false, wanted = false;
    for (int i = 0; i < CHL_MAX_IN; i++) context->wanted[i] = false;
    for (int i = 0; i < node->inputs; i++) {
        context->wanted[i] = is_needed(graph, table, node->in[i]);
        wanted = wanted || context->wanted[i];
    }
    for (int i = 0; i < CHL_MAX_OUT; i++) context->dout[i] = CHL_NONE;
    for (int i = 0; i < node->outputs; i++) {
        const chl_tensor t = node->out[i];
        if (t <= CHL_NONE) continue;
        if (node->accumulate && wanted && table->updates[t] > 0) table->updates[t]--;
        if (table->of[t] == CHL_NONE) continue;
        context->dout[i] = chl_reshape(graph, table->of[t], graph->tensor[t].desc);
        reached = true;
    }
    if (!reached || !wanted) return;
    graph->part = node->part;
    const chl_rule *rule = chl_rule_of(node->op);
    if (rule->gradient)
        rule->gradient(context);
    else if (rule->compose)
        chl_backprop_composed(context, rule->compose);
    else
        chl_graph_fail(graph, CHL_ERR_UNSUPPORTED, "%s has no gradient rule",
                       chl_op_name(node->op));
}

static bool make_table(chl_graph *graph, int32_t from_node, gradient_table *table) {
    const size_t tensors = (size_t)graph->tensors;
    *table = (gradient_table){.of = malloc(tensors * sizeof(chl_tensor)),
                              .needed = calloc(tensors, sizeof(bool)),
                              .updates = calloc(tensors, 1),
                              .tensors = graph->tensors,
                              .from_node = from_node};
    if (!table->of || !table->needed || !table->updates) {
        chl_graph_fail(graph, CHL_ERR_MEMORY, "out of memory for gradients");
        return false;
    }
    for (size_t t = 0; t < tensors; t++) table->of[t] = CHL_NONE;
    return true;
}

static void free_table(gradient_table *table) {
    free(table->of);
    free(table->needed);
    free(table->updates);
}

/* gradients[i] is what is known of it so far, or CHL_NONE, and becomes the sum. */
static void pull_back(chl_graph *graph, int32_t from_node, int outputs, const chl_tensor *y,
                      const chl_tensor *dy, int count, const chl_tensor *wrt,
                      chl_tensor *gradients) {
    gradient_table table;
    const int32_t part = graph->part;
    const bool within = graph->differentiating; /* a composed rule's */
    if (make_table(graph, from_node, &table)) {
        graph->differentiating = true;
        chl_gradient context = {.graph = graph, .table = &table};
        mark_needed(graph, &table, count, wrt);
        for (int i = 0; i < count; i++) table.of[wrt[i]] = gradients[i];
        for (int i = 0; i < outputs; i++)
            if (y[i] != CHL_NONE && dy[i] != CHL_NONE)
                add_contribution(&context, origin_of(graph, y[i]), dy[i], CHL_SUM_OF_SHARED);
        for (int32_t n = graph->nodes - 1; n >= from_node && graph->status == CHL_OK; n--)
            differentiate(&context, n);
        for (int i = 0; i < count && graph->status == CHL_OK; i++)
            gradients[i] = chl_reshape(graph, table.of[wrt[i]], graph->tensor[wrt[i]].desc);
    }
    free_table(&table);
    graph->part = part;
    graph->differentiating = within;
}

void chl_pull_back(chl_graph *graph, int32_t from_node, int outputs, const chl_tensor *y,
                   const chl_tensor *dy, int count, const chl_tensor *wrt, chl_tensor *gradients) {
    for (int i = 0; i < count; i++) gradients[i] = CHL_NONE;
    if (graph->status == CHL_OK) pull_back(graph, from_node, outputs, y, dy, count, wrt, gradients);
}

/* --- composed rules --------------------------------------------------------------------------- */
static chl_tensor to_float32(chl_graph *graph, chl_tensor x) {
    const chl_attributes attr = {.like = {.dtype = CHL_F32}};
    if (x == CHL_NONE || chl_desc_of(graph, x)->dtype == CHL_F32) return x;
    return chl_emit1(graph, CHL_OP_cast, &attr, 1, &x);
}

void chl_backprop_composed(chl_gradient *context, chl_compose *compose) {
    chl_graph *graph = context->graph;
    const chl_node *node = &context->node;
    const int32_t from = graph->nodes;
    chl_tensor in[CHL_MAX_IN] = {CHL_NONE}, out[CHL_MAX_OUT] = {CHL_NONE}, dout[CHL_MAX_OUT];
    chl_tensor wrt[CHL_MAX_IN], gradient[CHL_MAX_IN];
    int input[CHL_MAX_IN], count = 0;
    for (int i = 0; i < node->inputs; i++) {
        if (node->in[i] == CHL_NONE) continue;
        const chl_tensor leaf = chl_stop_gradient(graph, node->in[i]);
        in[i] = chl_desc_of(graph, leaf)->dtype == CHL_BF16 ? to_float32(graph, leaf) : leaf;
        if (!context->wanted[i]) continue;
        input[count] = i;
        wrt[count++] = leaf;
    }
    for (int i = 0; i < node->outputs; i++) dout[i] = to_float32(graph, context->dout[i]);
    compose(context, in, out);
    chl_pull_back(graph, from, node->outputs, out, dout, count, wrt, gradient);
    for (int i = 0; i < count; i++) chl_backprop_same(context, input[i], gradient[i]);
}

static bool check_wanted(chl_graph *graph, int count, const chl_tensor *wrt) {
    for (int i = 0; i < count; i++) {
        if (wrt[i] == CHL_NONE || origin_of(graph, wrt[i]) != wrt[i]) {
            chl_graph_fail(graph, CHL_ERR_ARGUMENT, "gradient %d: not a tensor of its own", i);
            return false;
        }
        if (graph->tensor[wrt[i]].desc.dtype == CHL_I32) {
            chl_graph_fail(graph, CHL_ERR_ARGUMENT, "gradient %d: integers have none", i);
            return false;
        }
    }
    return true;
}

static bool check_arguments(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt) {
    if (!check_wanted(graph, count, wrt)) return false;
    if (loss == CHL_NONE || chl_count(chl_desc_of(graph, loss)) != 1) {
        chl_graph_fail(graph, CHL_ERR_SHAPE, "the loss must be one number");
        return false;
    }
    return true;
}

static void grad_from(chl_graph *graph, int32_t from_node, chl_tensor loss, int count,
                      const chl_tensor *wrt, chl_tensor *gradients) {
    for (int i = 0; i < count; i++) gradients[i] = CHL_NONE;
    if (graph->status != CHL_OK || !check_arguments(graph, loss, count, wrt)) return;
    const float one = 1;
    const chl_tensor seed = chl_constant(graph, "dloss", *chl_desc_of(graph, loss), &one);
    chl_pull_back(graph, from_node, 1, &loss, &seed, count, wrt, gradients);
}

void chl_grad_reached(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
                      chl_tensor *gradients) {
    grad_from(graph, 0, loss, count, wrt, gradients);
}

void chl_grad_in_segment(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
                         chl_tensor *gradients) {
    const int32_t before = graph->segments - 1; /* segments that are finished */
    grad_from(graph, before > 0 ? graph->segment_end[before - 1] : 0, loss, count, wrt, gradients);
}

void chl_grad(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
              chl_tensor *gradients) {
    chl_grad_reached(graph, loss, count, wrt, gradients);
    for (int i = 0; i < count && graph->status == CHL_OK; i++) {
        const char *name = graph->tensor[wrt[i]].name;
        if (gradients[i] == CHL_NONE)
            chl_graph_fail(graph, CHL_ERR_ARGUMENT, "the loss does not depend on %s",
                           name ? name : "a tensor whose gradient is wanted");
    }
}

void chl_grad_onward(chl_graph *graph, chl_tensor y, chl_tensor dy, int count,
                     const chl_tensor *wrt, chl_tensor *gradients) {
    if (graph->status != CHL_OK || !check_wanted(graph, count, wrt)) return;
    if (y == CHL_NONE || dy == CHL_NONE ||
        !chl_same_shape(chl_desc_of(graph, y), chl_desc_of(graph, dy)))
        chl_graph_fail(graph, CHL_ERR_SHAPE, "y and its gradient must have one shape");
    else
        pull_back(graph, 0, 1, &y, &dy, count, wrt, gradients);
}
