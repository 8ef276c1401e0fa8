/* Reverse-mode differentiation: one loop from the last node to the first, appending backward nodes.
 *
 * A tensor's gradient is kept under its origin (the tensor a chain of reshapes starts from). The
 * first contribution writes (or, where the gradient is just another tensor, is that tensor: no
 * copy); later ones accumulate. Accumulating into shared memory would change the other holder's
 * gradient, so it happens in place only when nobody else still needs the value; otherwise it is
 * copied first. That way the residual connections of a transformer cost no memory traffic in the
 * backward pass. */
#include "graph/graph_private.h"
#include <stdlib.h>

typedef struct chl_gradient_table {
    chl_tensor *of;  /* by origin; CHL_NONE = none yet */
    bool *pending;   /* by origin: somebody will still read it */
    bool *needed;    /* by tensor: depends on something asked for */
    int32_t tensors; /* forward tensors: those that existed when chl_grad was called */
} gradient_table;

static chl_tensor origin_of(const chl_graph *graph, chl_tensor t) {
    while (graph->tensor[t].view_of != CHL_NONE) t = graph->tensor[t].view_of;
    return t;
}

/* Marks every tensor that depends on a wanted one. Ids grow in creation order, inputs before
 * outputs. */
static void mark_needed(const chl_graph *graph, gradient_table *table, int count,
                        const chl_tensor *wrt) {
    for (int i = 0; i < count; i++) table->needed[wrt[i]] = true;
    for (chl_tensor t = 1; t < table->tensors; t++) {
        const chl_tensor_info *info = chl_info(graph, t);
        if (table->needed[t]) continue;
        if (info->view_of != CHL_NONE) {
            table->needed[t] = !info->stop && table->needed[info->view_of];
        } else if (info->producer >= 0) {
            const chl_node *node = &graph->node[info->producer];
            for (int i = 0; i < node->inputs; i++)
                if (node->in[i] != CHL_NONE && table->needed[node->in[i]]) table->needed[t] = true;
        }
    }
}

/* May a contribution be added into `gradient`'s own memory? */
static bool may_accumulate(const chl_gradient *context, chl_tensor origin, chl_tensor gradient,
                           int inputs, const chl_tensor *in) {
    const chl_graph *graph = context->graph;
    const gradient_table *table = context->table;
    chl_tensor root = graph->tensor[gradient].root;
    /* a constant, or a forward value handed on as a gradient, is not ours to change */
    if (root < table->tensors || graph->tensor[root].kind != KIND_NODE ||
        graph->tensor[root].is_constant)
        return false;
    for (int i = 0; i < inputs; i++)
        if (in[i] != CHL_NONE && graph->tensor[in[i]].root == root) return false;
    for (chl_tensor t = 1; t < table->tensors; t++)
        if (t != origin && table->pending[t] && table->of[t] != CHL_NONE &&
            graph->tensor[table->of[t]].root == root)
            return false;
    return true;
}

/* A tensor that holds the origin's gradient so far and may be added to. */
static chl_tensor own_gradient(chl_gradient *context, chl_tensor origin, int inputs,
                               const chl_tensor *in) {
    chl_tensor *slot = &context->table->of[origin];
    if (!may_accumulate(context, origin, *slot, inputs, in)) {
        /* even a constant is copied anew in every run, since the copy changes */
        chl_node copy = {.op = CHL_OP_sum,
                         .inputs = 1,
                         .outputs = 1,
                         .in = {*slot},
                         .out = {CHL_FRESH},
                         .attr = {.sum = {.c = {1}}},
                         .every_run = true};
        chl_append(context->graph, &copy, slot);
    }
    return *slot;
}

static void add_contribution(chl_gradient *context, chl_tensor origin, chl_tensor contribution) {
    chl_graph *graph = context->graph;
    chl_tensor *slot = &context->table->of[origin];
    context->table->pending[origin] = true;
    if (*slot == CHL_NONE) {
        *slot = contribution;
        return;
    }
    chl_tensor into = own_gradient(context, origin, 1, &contribution);
    if (into == CHL_NONE) return;
    chl_tensor shaped = chl_reshape(graph, contribution, *chl_desc_of(graph, into));
    chl_node node = {.op = CHL_OP_sum,
                     .inputs = 1,
                     .outputs = 1,
                     .in = {shaped},
                     .out = {into},
                     .attr = {.sum = {.c = {1}}},
                     .accumulate = 1};
    chl_append(graph, &node, NULL);
}

void chl_backprop_same(chl_gradient *context, int input, chl_tensor gradient) {
    if (!context->wanted[input] || gradient == CHL_NONE) return;
    add_contribution(context, origin_of(context->graph, context->node.in[input]), gradient);
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
        origin[i] = CHL_NONE;
        node.out[i] = target[i] == CHL_FRESH ? CHL_FRESH : CHL_NONE;
        if (out) out[i] = CHL_NONE;
        any = any || target[i] == CHL_FRESH;
        if (target[i] < 0 || !context->wanted[target[i]]) continue;
        any = true;
        origin[i] = origin_of(graph, context->node.in[target[i]]);
        node.out[i] = CHL_FRESH;
        bool twice = false; /* one tensor is two of this node's inputs: add the second afterwards */
        for (int j = 0; j < i; j++) twice = twice || origin[j] == origin[i];
        if (twice || table->of[origin[i]] == CHL_NONE) continue;
        node.out[i] = own_gradient(context, origin[i], inputs, in);
        node.accumulate |= 1u << i;
    }
    if (!any || graph->status != CHL_OK) return;
    chl_append(graph, &node, made);
    if (graph->status != CHL_OK) return;
    for (int i = 0; i < outputs; i++) {
        if (out) out[i] = made[i];
        if (origin[i] == CHL_NONE) continue;
        if (node.accumulate >> i & 1u)
            table->pending[origin[i]] = true;
        else
            add_contribution(context, origin[i], made[i]);
        const chl_desc *want = &graph->tensor[origin[i]].desc, *got = &graph->tensor[made[i]].desc;
        if (chl_count(want) != chl_count(got))
            chl_graph_fail(graph, CHL_ERR_INTERNAL, "%s: gradient %d has the wrong size",
                           chl_op_name(op), i);
    }
}

static void differentiate(chl_gradient *context, int32_t index) {
    chl_graph *graph = context->graph;
    gradient_table *table = context->table;
    context->node = graph->node[index];
    const chl_node *node = &context->node;
    bool reached = false, wanted = false;
    for (int i = 0; i < node->outputs; i++) {
        chl_tensor t = node->out[i];
        context->dout[i] = CHL_NONE;
        if (t <= CHL_NONE || t >= table->tensors || table->of[t] == CHL_NONE) continue;
        context->dout[i] = chl_reshape(graph, table->of[t], graph->tensor[t].desc);
        reached = true;
    }
    for (int i = 0; i < node->inputs; i++) {
        context->wanted[i] = node->in[i] != CHL_NONE && table->needed[node->in[i]];
        wanted = wanted || context->wanted[i];
    }
    if (!reached || !wanted || node->accumulate) return;
    const chl_rule *rule = chl_rule_of(node->op);
    if (!rule->gradient) {
        chl_graph_fail(graph, CHL_ERR_UNSUPPORTED, "%s has no gradient rule",
                       chl_op_name(node->op));
        return;
    }
    rule->gradient(context);
}

static void collect(chl_graph *graph, const gradient_table *table, int count, const chl_tensor *wrt,
                    bool all, chl_tensor *gradients) {
    for (int i = 0; i < count && graph->status == CHL_OK; i++) {
        chl_tensor gradient = table->of[origin_of(graph, wrt[i])];
        const char *name = graph->tensor[wrt[i]].name;
        if (gradient == CHL_NONE && !all) continue;
        if (gradient == CHL_NONE)
            chl_graph_fail(graph, CHL_ERR_ARGUMENT, "the loss does not depend on %s",
                           name ? name : "a tensor whose gradient is wanted");
        else
            gradients[i] = chl_reshape(graph, gradient, graph->tensor[wrt[i]].desc);
    }
}

/* `all`: a wrt without gradient is an error. */
static void differentiate_all(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
                              bool all, chl_tensor *gradients) {
    for (int i = 0; i < count; i++) gradients[i] = CHL_NONE;
    if (graph->status != CHL_OK) return;
    for (int i = 0; i < count; i++) {
        if (wrt[i] == CHL_NONE || origin_of(graph, wrt[i]) != wrt[i]) {
            chl_graph_fail(graph, CHL_ERR_ARGUMENT, "gradient %d: not a tensor of its own", i);
            return;
        }
    }
    if (loss == CHL_NONE || chl_count(chl_desc_of(graph, loss)) != 1) {
        chl_graph_fail(graph, CHL_ERR_SHAPE, "the loss must be one number");
        return;
    }
    size_t tensors = (size_t)graph->tensors;
    gradient_table table = {.of = malloc(tensors * sizeof(chl_tensor)),
                            .pending = calloc(tensors, sizeof(bool)),
                            .needed = calloc(tensors, sizeof(bool)),
                            .tensors = graph->tensors};
    if (!table.of || !table.pending || !table.needed) {
        chl_graph_fail(graph, CHL_ERR_MEMORY, "out of memory for gradients");
    } else {
        for (size_t t = 1; t < tensors; t++) table.of[t] = CHL_NONE;
        mark_needed(graph, &table, count, wrt);
        const float one = 1;
        chl_tensor seed = chl_constant(graph, "dloss", *chl_desc_of(graph, loss), &one);
        table.of[origin_of(graph, loss)] = seed;
        chl_gradient context = {.graph = graph, .table = &table};
        for (int32_t n = graph->nodes - 1; n >= 0 && graph->status == CHL_OK; n--) {
            chl_node node = graph->node[n];
            differentiate(&context, n);
            bool leaf = false;
            for (int i = 0; i < node.outputs; i++) {
                if (node.out[i] <= CHL_NONE || node.out[i] >= table.tensors) continue;
                for (int k = 0; k < count; k++) leaf = leaf || wrt[k] == node.out[i];
                /* its gradient has been read; what was asked for stays */
                if (!leaf) table.pending[node.out[i]] = false;
            }
        }
        collect(graph, &table, count, wrt, all, gradients);
    }
    free(table.of);
    free(table.pending);
    free(table.needed);
}

void chl_grad(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
              chl_tensor *gradients) {
    differentiate_all(graph, loss, count, wrt, true, gradients);
}

void chl_grad_reached(chl_graph *graph, chl_tensor loss, int count, const chl_tensor *wrt,
                      chl_tensor *gradients) {
    differentiate_all(graph, loss, count, wrt, false, gradients);
}
