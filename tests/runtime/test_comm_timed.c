/* Seconds in collectives are those that a rank waits for the others; numbers are the inner ones. */
#include "runtime/comm_timed.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct rank {
    int number;
    const char *meeting;
    float sum, rows[2], part;
    double seconds;
    bool good;
} rank;

static void *run(void *of) {
    rank *r = of;
    const char *why;
    const chl_comm_place place = {.rank = r->number, .ranks = 2, .meeting = r->meeting};
    chl_comm *comm = chl_comm_timed(chl_comm_open(&place, &why));
    if (!comm) return NULL;
    const float mine = 1 + (float)r->number, both[2] = {mine, 10 * mine};
    r->good = comm->rank == r->number && chl_comm_seconds(comm) == 0 &&
              comm->kind->barrier(comm) == CHL_KERNEL_OK;
    if (r->number == 1) usleep(100000);
    r->good = r->good && comm->kind->all_reduce(comm, &mine, &r->sum, 1, NULL) == CHL_KERNEL_OK &&
              comm->kind->all_gather(comm, &mine, r->rows, sizeof mine, NULL) == CHL_KERNEL_OK &&
              comm->kind->reduce_scatter(comm, both, &r->part, 1, NULL) == CHL_KERNEL_OK;
    r->seconds = chl_comm_seconds(comm);
    comm->kind->close(comm);
    return NULL;
}

static void the_rank_that_waits_counts_it(void **state) {
    (void)state;
    pthread_t thread[2];
    rank ranks[2];
    char place[32];
    const int file = memfd_create("ranks", 0);
    snprintf(place, sizeof place, "fd:%d", file);
    for (int i = 0; i < 2; i++) {
        ranks[i] = (rank){.number = i, .meeting = place};
        assert_int_equal(pthread_create(&thread[i], NULL, run, &ranks[i]), 0);
    }
    for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
    close(file);
    for (int i = 0; i < 2; i++) {
        assert_true(ranks[i].good);
        assert_true(ranks[i].sum == 3 && ranks[i].rows[0] == 1 && ranks[i].rows[1] == 2);
        assert_true(ranks[i].part == (i ? 30 : 3));
    }
    assert_true(ranks[0].seconds >= 0.05); /* rank 1 came a tenth of a second later */
    assert_true(ranks[1].seconds > 0);
}

static void what_is_not_timed_says_so(void **state) {
    (void)state;
    assert_null(chl_comm_timed(NULL));
    assert_true(chl_comm_seconds(NULL) < 0);
    assert_true(chl_comm_seconds(chl_comm_self()) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rank_that_waits_counts_it),
        cmocka_unit_test(what_is_not_timed_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
