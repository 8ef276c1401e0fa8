/* Collectives as nodes of a graph that several ranks run, each in a thread: values, gradients of
 * the sum of all ranks' losses, draws by the sample's number, and errors. */
#include "graph/build.h"
#include "graph/rule.h"
#include "runtime/comm.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MOST = 4, ROWS = 2, WIDTH = 3, PART = ROWS * WIDTH };

typedef struct rank {
    chl_comm *comm;
    chl_device device;
    chl_graph *graph;
    bool (*run)(struct rank *);
    const char *meeting;
    int number, ranks;
    bool good;
} rank;

static void *thread_of_rank(void *of) {
    rank *r = of;
    const char *why;
    const chl_comm_place place = {.rank = r->number, .ranks = r->ranks, .meeting = r->meeting};
    r->comm = chl_comm_open(&place, &why);
    if (!r->comm) return NULL;
    r->device = chl_device_with(chl_device_cpu(), r->comm);
    if (chl_graph_new(&r->device, &r->graph) == CHL_OK) r->good = r->run(r);
    if (!r->good) fprintf(stderr, "rank %d of %d: %s\n", r->number, r->ranks, chl_error());
    chl_graph_free(r->graph);
    r->comm->kind->close(r->comm);
    return NULL;
}

static void with_ranks(bool (*run)(rank *), int ranks) {
    pthread_t thread[MOST];
    rank all[MOST];
    char place[32];
    const int file = memfd_create("ranks", 0);
    assert_true(file >= 0);
    snprintf(place, sizeof place, "fd:%d", file);
    for (int i = 0; i < ranks; i++) {
        all[i] = (rank){.run = run, .meeting = place, .number = i, .ranks = ranks};
        assert_int_equal(pthread_create(&thread[i], NULL, thread_of_rank, &all[i]), 0);
    }
    for (int i = 0; i < ranks; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < ranks; i++)
        if (!all[i].good) fail_msg("rank %d of %d fails", i, ranks);
    close(file);
}

/* x of rank r, and what rank r multiplies number k by; small integers, whose sums are exact */
static float x_of(int r, int k) {
    return (float)(10 * r + k + 1);
}
static float factor(int r, int k) {
    return (float)((r + 2) * (k % 5 + 1));
}

static bool same(const char *what, const float *got, const float *want, int count) {
    for (int i = 0; i < count; i++) {
        if (got[i] == want[i]) continue;
        fprintf(stderr, "%s, number %d: expected %g, got %g\n", what, i, (double)want[i],
                (double)got[i]);
        return false;
    }
    return true;
}

/* sum of y * constant as [1] */
static chl_tensor weighted(chl_graph *g, chl_tensor y, const float *by) {
    const chl_desc desc = *chl_desc_of(g, y);
    const chl_tensor product = chl_mul(g, y, chl_constant(g, "by", desc, by));
    return chl_scale(g, chl_mean(g, product), (float)chl_count(&desc));
}

static bool gather_and_back(rank *r) {
    chl_graph *g = r->graph;
    float x[PART], by[PART * MOST], want[PART * MOST], got[PART * MOST], gradient[PART] = {0};
    for (int k = 0; k < PART; k++) x[k] = x_of(r->number, k);
    for (int k = 0; k < PART * r->ranks; k++) {
        by[k] = factor(r->number, k);
        want[k] = x_of(k / PART, k % PART);
    }
    for (int s = 0; s < r->ranks; s++)
        for (int k = 0; k < PART; k++) gradient[k] += factor(s, r->number * PART + k);
    const chl_tensor in = chl_param(g, "x", chl_f32(2, ROWS, WIDTH), x, CHL_TRAINABLE);
    const chl_tensor y = chl_keep(g, chl_all_gather(g, in));
    chl_tensor dx;
    chl_grad(g, weighted(g, y, by), 1, &in, &dx);
    chl_keep(g, dx);
    if (chl_compile(g) != CHL_OK) return false;
    for (int again = 0; again < 3; again++) {
        if (chl_run(g, CHL_FIRST_SEGMENT) != CHL_OK || chl_read(g, y, got) != CHL_OK) return false;
        if (!same("gathered", got, want, PART * r->ranks)) return false;
        if (chl_read(g, dx, got) != CHL_OK || !same("gradient", got, gradient, PART)) return false;
    }
    return true;
}
static void a_gather_and_its_gradient(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= MOST; ranks++) with_ranks(gather_and_back, ranks);
}

/* The tensor is used by its own rank too, so that its gradient has two parts. */
static bool reduce_and_back(rank *r) {
    chl_graph *g = r->graph;
    float x[PART], by[PART], want[PART] = {0}, got[PART], gradient[PART] = {0};
    for (int k = 0; k < PART; k++) {
        x[k] = x_of(r->number, k);
        by[k] = factor(r->number, k);
        gradient[k] = by[k];
        for (int s = 0; s < r->ranks; s++) {
            want[k] += x_of(s, k);
            gradient[k] += factor(s, k);
        }
    }
    const chl_tensor in = chl_param(g, "x", chl_f32(2, ROWS, WIDTH), x, CHL_TRAINABLE);
    const chl_tensor y = chl_keep(g, chl_all_reduce(g, in));
    const chl_tensor loss = chl_add(g, weighted(g, in, by), weighted(g, y, by));
    chl_tensor dx;
    chl_grad(g, loss, 1, &in, &dx);
    chl_keep(g, dx);
    return chl_compile(g) == CHL_OK && chl_run(g, CHL_FIRST_SEGMENT) == CHL_OK &&
           chl_read(g, y, got) == CHL_OK && same("sum", got, want, PART) &&
           chl_read(g, dx, got) == CHL_OK && same("gradient", got, gradient, PART);
}
static void a_sum_and_its_gradient(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= MOST; ranks++) with_ranks(reduce_and_back, ranks);
}

static bool scatter_and_back(rank *r) {
    chl_graph *g = r->graph;
    float x[PART * MOST], by[PART], want[PART] = {0}, got[PART * MOST], gradient[PART * MOST];
    for (int k = 0; k < PART * r->ranks; k++) {
        x[k] = x_of(r->number, k);
        gradient[k] = factor(k / PART, k % PART);
    }
    for (int k = 0; k < PART; k++) {
        by[k] = factor(r->number, k);
        for (int s = 0; s < r->ranks; s++) want[k] += x_of(s, r->number * PART + k);
    }
    const chl_attributes attr = {.collective = {.ranks = r->ranks}};
    const chl_tensor in = chl_param(g, "x", chl_f32(2, ROWS * r->ranks, WIDTH), x, CHL_TRAINABLE);
    const chl_tensor y = chl_keep(g, chl_emit1(g, CHL_OP_reduce_scatter, &attr, 1, &in));
    chl_tensor dx;
    chl_grad(g, weighted(g, y, by), 1, &in, &dx);
    chl_keep(g, dx);
    return chl_compile(g) == CHL_OK && chl_run(g, CHL_FIRST_SEGMENT) == CHL_OK &&
           chl_read(g, y, got) == CHL_OK && same("row", got, want, PART) &&
           chl_read(g, dx, got) == CHL_OK && same("gradient", got, gradient, PART * r->ranks);
}
static void a_scattered_sum_and_its_gradient(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= MOST; ranks++) with_ranks(scatter_and_back, ranks);
}

/* All ranks together drop the rows that one process drops of the whole batch. */
static bool drop(rank *r) {
    enum { ALL = 24 };
    chl_graph *g = r->graph, *whole;
    const int own = ALL / r->ranks;
    float ones[ALL], got[ALL], want[ALL];
    for (int i = 0; i < ALL; i++) ones[i] = 1;
    chl_graph_first_sample(g, r->number * own);
    const chl_tensor x = chl_param(g, "x", chl_f32(2, own, 1), ones, CHL_TRAINABLE);
    const chl_tensor y = chl_keep(g, chl_all_gather(g, chl_drop_path(g, x, 0.5f, 9)));
    if (chl_graph_new(chl_device_cpu(), &whole) != CHL_OK) return false;
    const chl_tensor all = chl_param(whole, "x", chl_f32(2, ALL, 1), ones, CHL_TRAINABLE);
    const chl_tensor dropped = chl_keep(whole, chl_drop_path(whole, all, 0.5f, 9));
    const chl_step step = {.seed = 4, .index = 7};
    const bool good = chl_compile(g) == CHL_OK && chl_compile(whole) == CHL_OK &&
                      chl_set_step(g, step) == CHL_OK && chl_set_step(whole, step) == CHL_OK &&
                      chl_run(g, CHL_FIRST_SEGMENT) == CHL_OK &&
                      chl_run(whole, CHL_FIRST_SEGMENT) == CHL_OK &&
                      chl_read(g, y, got) == CHL_OK && chl_read(whole, dropped, want) == CHL_OK &&
                      same("dropped", got, want, ALL);
    chl_graph_free(whole);
    return good;
}
static void ranks_drop_the_rows_that_one_process_drops(void **state) {
    (void)state;
    for (int ranks = 1; ranks <= MOST; ranks++) with_ranks(drop, ranks);
}

static bool one_gives_up(rank *r) {
    float x[PART] = {0};
    const chl_tensor in = chl_param(r->graph, "x", chl_f32(2, ROWS, WIDTH), x, CHL_TRAINABLE);
    chl_keep(r->graph, chl_all_reduce(r->graph, in));
    if (chl_compile(r->graph) != CHL_OK) return false;
    if (r->number == 1) r->comm->kind->abort(r->comm, "no more data");
    while (chl_run(r->graph, CHL_FIRST_SEGMENT) == CHL_OK) usleep(1000);
    return strstr(chl_error(), "all_reduce") && strstr(chl_error(), "rank 1: no more data");
}
static void an_error_names_the_node_and_the_rank(void **state) {
    (void)state;
    with_ranks(one_gives_up, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gather_and_its_gradient),
        cmocka_unit_test(a_sum_and_its_gradient),
        cmocka_unit_test(a_scattered_sum_and_its_gradient),
        cmocka_unit_test(ranks_drop_the_rows_that_one_process_drops),
        cmocka_unit_test(an_error_names_the_node_and_the_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
