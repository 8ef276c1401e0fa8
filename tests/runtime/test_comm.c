/* What every kind of communicator promises (kernels/collectives.h): `self`, `local` with threads
 * and with processes as ranks, and `nccl` over a library of the same functions, with threads.
 * Faults are in test_comm_faults.c, nccl's own in test_comm_nccl.c; comm_over_mpi.c is mpi's. */
#include "comm_parts.h"
#include <stdlib.h>

/* --- collectives ------------------------------------------------------------------------------ */
static void gathered_parts_stand_in_the_order_of_ranks(void **state) {
    (void)state;
    with_every_kind(gather);
}

static void every_rank_gets_the_sum_in_place_too(void **state) {
    (void)state;
    with_every_kind(reduce);
}

static void a_rank_gets_the_sum_of_its_row(void **state) {
    (void)state;
    with_every_kind(scatter);
}

static void all_get_the_data_of_the_root(void **state) {
    (void)state;
    with_every_kind(spread);
}

static void sums_begin_with_rank_0_in_every_run(void **state) {
    (void)state;
    with_every_kind(reduce_rounded);
}

static bool meet_often(chl_comm *comm) {
    float mine[3] = {0, 0, 0}, all[3 * MOST];
    bool same = true;
    for (int i = 0; i < 2000 && same; i++) {
        if (i % 7 == comm->rank) usleep(20);
        mine[0] = (float)(i * MOST + comm->rank);
        same = good(comm, comm->kind->barrier(comm)) &&
               good(comm, comm->kind->all_gather(comm, mine, all, sizeof mine, NULL));
        for (int r = 0; r < comm->ranks; r++) same = same && all[3 * r] == (float)(i * MOST + r);
    }
    return same;
}
static void nobody_is_a_step_ahead(void **state) {
    (void)state;
    with_every_kind(meet_often);
}

/* --- opening ---------------------------------------------------------------------------------- */
static void refuse(const chl_comm_place *place, const char *text) {
    const char *why;
    assert_null(chl_comm_open(place, &why));
    if (!strstr(why, text)) fail_msg("expected \"%s\", got \"%s\"", text, why);
}

static void wrong_places_are_refused(void **state) {
    (void)state;
    const char *why;
    char place[32];
    int file;
    refuse(&(chl_comm_place){.rank = 2, .ranks = 2, .meeting = "fd:3"}, "rank 2 of 2");
    refuse(&(chl_comm_place){.rank = -1, .ranks = 2}, "rank -1 of 2");
    refuse(&(chl_comm_place){.ranks = 0}, "of 0 ranks");
    refuse(&(chl_comm_place){.ranks = 2}, "must be fd:N, file:PATH or mpi, got \"\"");
    refuse(&(chl_comm_place){.ranks = 2, .meeting = "tcp:a"}, "got \"tcp:a\"");
    refuse(&(chl_comm_place){.ranks = 2, .meeting = "fd:99"}, "cannot be had");
    refuse(&(chl_comm_place){.ranks = 2, .meeting = "file:/nowhere/at/all"}, "/nowhere/at/all");
    meeting_place(place, sizeof place, &file);
    refuse(&(chl_comm_place){.ranks = 65, .meeting = place}, "at most 64, got 65");
    chl_comm *first = chl_comm_open(&(chl_comm_place){.ranks = 2, .meeting = place}, &why);
    assert_non_null(first);
    refuse(&(chl_comm_place){.ranks = 2, .meeting = place}, "rank 0 is taken");
    refuse(&(chl_comm_place){.rank = 1, .ranks = 3, .meeting = place}, "one of 3, others");
    first->kind->close(first);
    close(file);
}

static bool meets_in_a_file(chl_comm *comm) {
    return good(comm, comm->kind->barrier(comm));
}
static void ranks_meet_in_a_file(void **state) {
    (void)state;
    char name[] = "/tmp/chladni-comm-XXXXXX", place[64];
    const int file = mkstemp(name);
    assert_true(file >= 0);
    close(file);
    snprintf(place, sizeof place, "file:%s", name);
    pid_t child[2];
    for (int r = 0; r < 2; r++)
        child[r] =
            start_process(&(job){.run = meets_in_a_file, .meeting = place, .rank = r, .ranks = 2});
    for (int r = 0; r < 2; r++) ends_well(child[r]);
    unlink(name);
}

int main(void) {
    setenv("CHLADNI_NCCL", TEST_NCCL, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gathered_parts_stand_in_the_order_of_ranks),
        cmocka_unit_test(every_rank_gets_the_sum_in_place_too),
        cmocka_unit_test(a_rank_gets_the_sum_of_its_row),
        cmocka_unit_test(all_get_the_data_of_the_root),
        cmocka_unit_test(sums_begin_with_rank_0_in_every_run),
        cmocka_unit_test(nobody_is_a_step_ahead),
        cmocka_unit_test(wrong_places_are_refused),
        cmocka_unit_test(ranks_meet_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
