/* Sums over the ranks that run beside other nodes: numbers, buckets, and the memory between fork and
 * join. Both ranks of the tests have the same numbers: a sum is twice what this one has, computed by
 * the device on the queue that it is given.
 *
 *     test_beside          tests/emu runs it on the emulated GPU, whose queues work early and late */
#include "collectives.h"
#include "graph/build.h"
#include "graph/graph_private.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the ones above first */
#include <cmocka.h>
#ifdef TEST_BACKEND_EMU
#include "emu/backend_emu.h"
#endif

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) != CHL_OK) fail_msg("%s", chl_error());                                         \
    } while (0)

enum { LAYERS = 6, WIDTH = 16, ROWS = 8, STEPS = 3, NUMBERS = WIDTH * WIDTH };

static chl_device *below; /* without the ranks */

static chl_kernel_status twice(chl_comm *comm, const float *from, float *to, size_t count,
                               void *stream) {
    (void)comm;
    const chl_desc desc = {.rank = 1, .dim = {(int64_t)count}};
    const chl_call call = {.attr = {.sum = {.c = {2}}},
                           .inputs = 1,
                           .outputs = 1,
                           .in_desc = {desc},
                           .out_desc = {desc},
                           .in = {from},
                           .out = {to},
                           .stream = stream};
    return below->backend->body(CHL_OP_sum)->run(&call);
}

static const char *no_error(chl_comm *comm) {
    (void)comm;
    return NULL;
}

static const chl_comm_kind kind = {.name = "twice", .all_reduce = twice, .last_error = no_error};
static chl_comm comm = {.kind = &kind, .ranks = 2};
static chl_device device;

typedef struct net {
    chl_graph *graph;
    chl_tensor weight[LAYERS];
} net;

static float start[LAYERS][NUMBERS], input[ROWS * WIDTH];

static net build(bool beside, int64_t bucket) {
    net made;
    chl_tensor gradient[LAYERS];
    MUST(chl_graph_new(&device, &made.graph));
    chl_graph *g = made.graph;
    chl_graph_bucket(g, bucket);
    chl_tensor x = chl_input(g, "x", chl_f32(2, ROWS, WIDTH));
    for (int i = 0; i < LAYERS; i++) {
        made.weight[i] = chl_param(g, "w", chl_f32(2, WIDTH, WIDTH), start[i], CHL_TRAINABLE);
        x = chl_activate(g, chl_linear(g, x, made.weight[i], CHL_NONE), CHL_GELU, 0);
    }
    chl_grad(g, chl_mean(g, chl_mul(g, x, x)), LAYERS, made.weight, gradient);
    for (int i = 0; i < LAYERS; i++)
        gradient[i] =
            beside ? chl_all_reduce_beside(g, gradient[i]) : chl_all_reduce(g, gradient[i]);
    const chl_adam_settings adam = {.beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .rate_scale = 1};
    for (int i = LAYERS - 1; i >= 0; i--) chl_adam(g, made.weight[i], gradient[i], &adam);
    MUST(chl_plan_memory(g));
    return made;
}

/* Weights after STEPS steps; on a GPU the second records and the others replay. */
static void run(const net *n, float *weights) {
    chl_graph *g = n->graph;
    MUST(chl_compile(g));
    for (chl_tensor t = 1; t < chl_tensor_count(g); t++)
        if (chl_is_input(g, t)) MUST(chl_write(g, t, input));
    for (int step = 0; step < STEPS; step++) {
        MUST(chl_set_step(g, (chl_step){.index = step, .rate = 0.01f}));
        MUST(chl_run(g, CHL_FIRST_SEGMENT));
    }
    for (int i = 0; i < LAYERS; i++) MUST(chl_read(g, n->weight[i], weights + i * NUMBERS));
    chl_graph_free(g);
}

static void sums_beside_change_no_number(void **state) {
    (void)state;
    static const int64_t buckets[] = {1, 2 * NUMBERS * (int64_t)sizeof(float), (int64_t)1 << 20};
    float want[LAYERS * NUMBERS], got[LAYERS * NUMBERS];
    net n = build(false, 1);
    run(&n, want);
    assert_true(memcmp(want, start, sizeof want) != 0);
    for (int i = 0; i < 3; i++) {
        n = build(true, buckets[i]);
        MUST(chl_check_beside(n.graph));
        assert_int_equal(n.graph->buckets, i == 0 ? LAYERS : i == 1 ? LAYERS / 2 : 1);
        run(&n, got);
        assert_memory_equal(got, want, sizeof want);
    }
}

/* Each right behind the node that completes it, although all were added at the end. */
static void sums_stand_where_their_gradient_is_complete(void **state) {
    (void)state;
    net n = build(true, 1);
    const chl_graph *g = n.graph;
    int sums = 0;
    for (int32_t i = 0; i < g->nodes; i++) {
        const chl_node *node = &g->node[i];
        if (!node->beside) continue;
        sums++;
        assert_true(chl_node_writes(g, &g->node[i - 1], g->tensor[node->in[0]].root));
        assert_int_equal(node->bucket, sums);
        assert_true(node->forks && node->ends_bucket);
        assert_true(g->joined[sums] > i + (sums < LAYERS));
        assert_int_equal(g->node[g->joined[sums]].op, CHL_OP_adam);
        assert_int_equal(g->tensor[node->in[0]].offset, g->tensor[node->out[0]].offset);
    }
    assert_int_equal(sums, LAYERS);
    chl_graph_free(n.graph);
}

/* What one node between fork and join writes, in the memory of the first sum. */
static void reuse_memory(chl_graph *g) {
    int32_t n = 0;
    while (!g->node[n].beside) n++;
    const chl_tensor sum = g->tensor[g->node[n].in[0]].root;
    for (int32_t m = n + 1; m < g->joined[1]; m++) {
        chl_tensor_info *info = chl_info(g, g->tensor[g->node[m].out[0]].root);
        if (g->node[m].beside || info->kind != KIND_NODE ||
            info->storage != g->tensor[g->node[m].out[0]].root)
            continue;
        info->offset = g->tensor[sum].offset;
        return;
    }
    fail_msg("nothing runs beside the first sum");
}

static void memory_that_is_reused_before_the_join_is_found(void **state) {
    (void)state;
    net n = build(true, 1);
    MUST(chl_check_beside(n.graph));
    reuse_memory(n.graph);
    assert_int_equal(chl_check_beside(n.graph), CHL_ERR_INTERNAL);
    assert_non_null(strstr(chl_error(), "touches memory of the sum at node"));
    const char *land = getenv("EMU_LAND");
    if (device.queue && land && strcmp(land, "late") == 0) { /* the sum runs when it is joined */
        float want[LAYERS * NUMBERS], got[LAYERS * NUMBERS];
        run(&n, got);
        n = build(false, 1);
        run(&n, want);
        assert_true(memcmp(got, want, sizeof want) != 0);
    } else {
        chl_graph_free(n.graph);
    }
}

/* A gradient that is summed over the ranks and is a part of another gradient. */
static void nothing_is_added_to_what_a_sum_reads(void **state) {
    (void)state;
    chl_graph *g;
    float a[WIDTH], got[2][WIDTH];
    for (int i = 0; i < WIDTH; i++) a[i] = (float)(i + 1);
    MUST(chl_graph_new(&device, &g));
    const chl_tensor x = chl_param(g, "x", chl_f32(1, WIDTH), a, CHL_TRAINABLE);
    chl_tensor d, more;
    chl_grad(g, chl_mean(g, chl_mul(g, x, x)), 1, &x, &d);
    const chl_tensor sum = chl_keep(g, chl_all_reduce_beside(g, d));
    more = d;
    chl_grad_onward(g, chl_mul(g, x, x), x, 1, &x, &more); /* more = d + 2 x^2 */
    chl_keep(g, more);
    MUST(chl_compile(g));
    MUST(chl_check_beside(g));
    for (int step = 0; step < STEPS; step++) {
        MUST(chl_run(g, CHL_FIRST_SEGMENT));
        MUST(chl_read(g, sum, got[0]));
        MUST(chl_read(g, more, got[1]));
        for (int i = 0; i < WIDTH; i++) {
            const float gradient = 2 * a[i] / WIDTH;
            assert_true(got[0][i] == 2 * gradient);
            assert_true(got[1][i] == gradient + 2 * a[i] * a[i]);
        }
    }
    chl_graph_free(g);
}

int main(void) {
#ifdef TEST_BACKEND_EMU
    below = chl_device_emu();
#else
    below = chl_device_cpu();
#endif
    device = chl_device_with(below, &comm);
    for (int i = 0; i < LAYERS * NUMBERS; i++)
        start[i / NUMBERS][i % NUMBERS] = 0.4f * (float)(i * 7919 % 1000) / 1000 - 0.2f;
    for (int i = 0; i < ROWS * WIDTH; i++) input[i] = (float)(i % 13) - 6;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_beside_change_no_number),
        cmocka_unit_test(sums_stand_where_their_gradient_is_complete),
        cmocka_unit_test(memory_that_is_reused_before_the_join_is_found),
        cmocka_unit_test(nothing_is_added_to_what_a_sum_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
