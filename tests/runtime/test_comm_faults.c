/* A rank that fails, leaves, dies, stands, hangs or never comes ends the job of all, and is named. */
#include "base/progress.h"
#include "comm_parts.h"
#include <signal.h>
#include <stdlib.h>
#include <time.h>

static void who_gives_up_ends_the_job_and_is_named(void **state) {
    (void)state;
    for (int ranks = 2; ranks <= MOST; ranks++) {
        with_threads(one_aborts, ranks);
        with_processes(one_aborts, ranks);
    }
}
static void who_leaves_ends_the_job_and_is_named(void **state) {
    (void)state;
    with_threads(one_leaves, MOST);
    with_processes(one_leaves, MOST);
}
static void a_call_of_another_size_is_no_wrong_sum(void **state) {
    (void)state;
    with_threads(one_differs, 2);
    with_processes(one_differs, 3);
}

static bool waits_for_a_dead_one(chl_comm *comm) {
    return fails_with(comm, "rank 1 has died");
}
static bool waits_for_a_stopped_one(chl_comm *comm) {
    return fails_with(comm, "has been stopped for 1 s");
}
static void who_dies_or_stands_ends_the_job_and_is_named(void **state) {
    (void)state;
    lose_a_process(waits_for_a_dead_one, SIGKILL, false);
    lose_a_process(waits_for_a_stopped_one, SIGSTOP, false);
}

/* Who computes for long is not idle. */
static bool computes_long(chl_comm *comm) {
    struct timespec t = {0};
    while (comm->rank == 1 && t.tv_sec < 5) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return good(comm, comm->kind->barrier(comm));
}
static void who_does_nothing_ends_the_job_and_is_named(void **state) {
    (void)state;
    char place[32];
    for (int computes = 0; computes < 2; computes++) {
        int file, status;
        meeting_place(place, sizeof place, &file);
        pid_t child[2];
        for (int r = 0; r < 2; r++)
            child[r] = start_process(&(job){.run = computes ? computes_long : waits_for_an_idle_one,
                                            .meeting = place,
                                            .rank = r,
                                            .ranks = 2,
                                            .idle = computes ? 2 : 1});
        ends_well(child[0]);
        if (!computes) kill(child[1], SIGKILL);
        assert_int_equal(waitpid(child[1], &status, 0), child[1]);
        if (computes) assert_int_equal(status, 0);
        close(file);
    }
}

static bool computes_and_finishes(chl_comm *comm) {
    bool going = good(comm, comm->kind->begin_step(comm));
    for (int i = 0; comm->rank == 1 && i < 12; i++) {
        compute_for(250);
        chl_progress_add();
    }
    return going && good(comm, comm->kind->barrier(comm));
}
static void who_hangs_in_a_loop_ends_the_job_and_is_named(void **state) {
    (void)state;
    char place[32];
    for (int hangs = 0; hangs < 2; hangs++) {
        int file, status;
        meeting_place(place, sizeof place, &file);
        pid_t child[2];
        for (int r = 0; r < 2; r++)
            child[r] =
                start_process(&(job){.run = hangs ? waits_for_one_in_a_loop : computes_and_finishes,
                                     .meeting = place,
                                     .rank = r,
                                     .ranks = 2,
                                     .idle = hangs ? 1 : 2});
        ends_well(child[0]);
        if (hangs) kill(child[1], SIGKILL);
        assert_int_equal(waitpid(child[1], &status, 0), child[1]);
        if (!hangs) assert_int_equal(status, 0);
        close(file);
    }
}

/* Rank 1 has the number, and does not come. */
static bool is_told_to_stop(chl_comm *comm) {
    bool on_request = false;
    return fails_with(comm, "rank 0 was told to stop while it waited for rank 1") &&
           comm->kind->who_failed(comm, &on_request) == 0 && on_request;
}
static bool nobody_comes(chl_comm *comm) {
    return fails_with(comm, "rank 1 has not come within 1 s");
}
static void who_waits_for_one_that_never_comes_ends(void **state) {
    (void)state;
    char place[32];
    int file;
    meeting_place(place, sizeof place, &file);
    assert_true(take_part(
        &(job){.run = is_told_to_stop, .meeting = place, .ranks = 2, .told_to_stop = always}));
    close(file);
    meeting_place(place, sizeof place, &file);
    assert_true(take_part(&(job){.run = nobody_comes, .meeting = place, .ranks = 2, .coming = 1}));
    close(file);
}

/* It waits for one that comes: a request is heard after the step. */
static bool comes_late(chl_comm *comm) {
    if (comm->rank == 1) usleep(400000);
    bool same = true;
    for (int i = 0; i < 3; i++) same = same && good(comm, comm->kind->barrier(comm));
    return same;
}
static void who_is_told_to_stop_still_waits_for_one_that_comes(void **state) {
    (void)state;
    char place[32];
    int file;
    meeting_place(place, sizeof place, &file);
    pid_t child[2];
    for (int r = 0; r < 2; r++)
        child[r] = start_process(&(job){
            .run = comes_late, .meeting = place, .rank = r, .ranks = 2, .told_to_stop = always});
    for (int r = 0; r < 2; r++) ends_well(child[r]);
    close(file);
}

static void the_first_of_two_that_fail_is_known_to_all(void **state) {
    (void)state;
    with_threads(two_fail, MOST);
    with_threads_on_gpus(two_fail, MOST);
    with_processes(two_fail, MOST);
}

static bool meets_later(chl_comm *comm) {
    if (comm->rank == 1) usleep(300000);
    return good(comm, comm->kind->barrier(comm));
}
/* Both stand for longer than their patience, and rank 0, which had seen the other stand, goes on
 * first. */
static void suspended_job_goes_on(void **state) {
    (void)state;
    char place[32];
    int file;
    meeting_place(place, sizeof place, &file);
    pid_t child[2];
    for (int r = 0; r < 2; r++)
        child[r] = start_process(
            &(job){.run = meets_later, .meeting = place, .rank = r, .ranks = 2, .patience = 1});
    usleep(100000);
    kill(child[1], SIGSTOP);
    usleep(150000);
    kill(child[0], SIGSTOP);
    sleep(2);
    kill(child[0], SIGCONT);
    usleep(150000);
    kill(child[1], SIGCONT);
    for (int r = 0; r < 2; r++) ends_well(child[r]);
    close(file);
}

int main(void) {
    setenv("CHLADNI_NCCL", TEST_NCCL, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_gives_up_ends_the_job_and_is_named),
        cmocka_unit_test(who_leaves_ends_the_job_and_is_named),
        cmocka_unit_test(a_call_of_another_size_is_no_wrong_sum),
        cmocka_unit_test(who_dies_or_stands_ends_the_job_and_is_named),
        cmocka_unit_test(who_does_nothing_ends_the_job_and_is_named),
        cmocka_unit_test(who_hangs_in_a_loop_ends_the_job_and_is_named),
        cmocka_unit_test(who_waits_for_one_that_never_comes_ends),
        cmocka_unit_test(who_is_told_to_stop_still_waits_for_one_that_comes),
        cmocka_unit_test(the_first_of_two_that_fail_is_known_to_all),
        cmocka_unit_test(suspended_job_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
