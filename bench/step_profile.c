/* A profiled step: each node's seconds, added up by network and direction and by op. */
#include "graph/graph_private.h"
#include "steps.h"
#include <stdlib.h>
#include <string.h>

typedef struct cost {
    double seconds, flops; /* of one run */
    int nodes;
} cost;

typedef struct bar { /* a network's forward or backward pass */
    const char *part;
    bool of_gradient;
    cost all, by_op[CHL_OP_COUNT];
} bar;

#define BARS (2 * BENCH_MAX_PARTS)
typedef struct profile {
    bar bars[BARS]; /* in the order in which they begin */
    int count;
    cost all, by_op[CHL_OP_COUNT];
} profile;

static void add(cost *to, double seconds, double flops) {
    to->seconds += seconds;
    to->flops += flops;
    to->nodes++;
}

static bar *bar_of(profile *p, const bench_job *job, const chl_node *node) {
    const char *part = node->part ? job->part[node->part] : "other";
    for (int i = 0; i < p->count; i++)
        if (p->bars[i].part == part && p->bars[i].of_gradient == node->of_gradient)
            return &p->bars[i];
    p->bars[p->count] = (bar){.part = part, .of_gradient = node->of_gradient};
    return &p->bars[p->count++];
}

static void divide(const bench_job *job, profile *p) {
    const chl_graph *g = job->graph;
    const double runs = g->runs > 0 ? (double)g->runs : 1;
    for (int32_t n = 0; n < g->nodes; n++) {
        const chl_node *node = &g->node[n];
        if (node->is_constant) continue;
        chl_shapes shapes;
        chl_node_shapes(g, node, &shapes);
        const chl_rule *rule = chl_rule_of(node->op);
        const double flops = rule->flops ? rule->flops(&shapes) : 0;
        const double seconds = g->seconds[n] / runs;
        bar *b = bar_of(p, job, node);
        add(&b->all, seconds, flops);
        add(&b->by_op[node->op], seconds, flops);
        add(&p->all, seconds, flops);
        add(&p->by_op[node->op], seconds, flops);
    }
}

/* --- as JSON ---------------------------------------------------------------------------------- */
static json_t *cost_json(const cost *c, double total) {
    json_t *out = json_pack("{s:i, s:f, s:f}", "nodes", c->nodes, "seconds", c->seconds, "share",
                            total > 0 ? c->seconds / total : 0.0);
    if (c->flops > 0 && c->seconds > 0)
        chl_json_set(out, "gflop_per_s", json_real(1e-9 * c->flops / c->seconds));
    return out;
}

/* Those that occur, the longest first. */
static json_t *ops_json(const cost by_op[CHL_OP_COUNT], double total) {
    json_t *out = json_array();
    bool written[CHL_OP_COUNT] = {false};
    for (;;) {
        int best = -1;
        for (int op = 0; op < CHL_OP_COUNT; op++)
            if (by_op[op].nodes > 0 && !written[op] &&
                (best < 0 || by_op[op].seconds > by_op[best].seconds))
                best = op;
        if (best < 0) return out;
        written[best] = true;
        json_t *row = cost_json(&by_op[best], total);
        chl_json_set(row, "op", chl_json_string(chl_op_name((chl_op)best)));
        chl_json_append(out, row);
    }
}

json_t *bench_profile_json(const bench_step *s) {
    profile *p = calloc(1, sizeof *p);
    if (!p || !s->job.graph->seconds) {
        free(p);
        return NULL;
    }
    divide(&s->job, p);
    json_t *parts = json_array(), *out = json_pack("{s:f}", "seconds", p->all.seconds);
    for (int i = 0; i < p->count; i++) {
        const bar *b = &p->bars[i];
        json_t *row = cost_json(&b->all, p->all.seconds);
        chl_json_set(row, "part", chl_json_string(b->part));
        chl_json_set(row, "gradient", json_boolean(b->of_gradient));
        chl_json_set(row, "ops", ops_json(b->by_op, p->all.seconds));
        chl_json_append(parts, row);
    }
    chl_json_set(out, "parts", parts);
    chl_json_set(out, "ops", ops_json(p->by_op, p->all.seconds));
    free(p);
    return out;
}

/* --- as text ---------------------------------------------------------------------------------- */
static void print_cost(const json_t *row, const char *name, FILE *to) {
    const json_t *rate = json_object_get(row, "gflop_per_s");
    fprintf(to, "  %-28s %5d nodes %9.3f ms %5.1f %%", name,
            (int)json_integer_value(json_object_get(row, "nodes")),
            1e3 * json_real_value(json_object_get(row, "seconds")),
            100 * json_real_value(json_object_get(row, "share")));
    if (rate) fprintf(to, " %8.1f GFLOP/s", json_real_value(rate));
    fputc('\n', to);
}

void bench_profile_print(const json_t *profile, FILE *to) {
    size_t i;
    const json_t *row;
    char name[64];
    json_array_foreach(json_object_get(profile, "parts"), i, row) {
        snprintf(name, sizeof name, "%s%s", json_string_value(json_object_get(row, "part")),
                 json_is_true(json_object_get(row, "gradient")) ? ", backward" : "");
        print_cost(row, name, to);
    }
    fprintf(to, "by op:\n");
    json_array_foreach(json_object_get(profile, "ops"), i, row)
        print_cost(row, json_string_value(json_object_get(row, "op")), to);
}
