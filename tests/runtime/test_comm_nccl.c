/* The kind `nccl`, over a library of NCCL's functions without a GPU (nccl_standin.c). */
#include "comm_parts.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

static bool is_nccl(chl_comm *comm) {
    return strcmp(comm->kind->name, "nccl") == 0 && !comm->kind->host_memory &&
           strcmp(chl_comm_host(comm)->kind->name, "local") == 0 &&
           chl_comm_host(chl_comm_host(comm)) == chl_comm_host(comm);
}
static bool one_differs_to_nccl(chl_comm *comm) {
    float x[2] = {1, 2};
    const size_t count = comm->rank == 1 ? 2 : 1;
    return !good(comm, comm->kind->all_reduce(comm, x, x, count, NULL)) &&
           strstr(said, "ncclAllReduce: invalid argument") &&
           !good(comm, comm->kind->barrier(comm));
}
static void gpus_exchange_through_nccl(void **state) {
    (void)state;
    with_threads_on_gpus(is_nccl, 3);
    with_threads_on_gpus(one_aborts, 3);
    with_threads_on_gpus(one_differs_to_nccl, 2);
}

/* Rank 0 waits inside NCCL for one that is gone, or whose network fails. */
static bool waits_in_nccl(chl_comm *comm, const char *text) {
    static float x[4242];
    const size_t count = strstr(text, "NCCL") ? 4242 : 1;
    chl_kernel_status status = CHL_KERNEL_OK;
    for (int i = 0; i < 1000000 && status == CHL_KERNEL_OK; i++) {
        if (comm->rank == 1 && i == 3) pause();
        status = comm->kind->begin_step(comm);
        if (status == CHL_KERNEL_OK) status = comm->kind->all_reduce(comm, x, x, count, NULL);
    }
    const bool named = !good(comm, status) && strstr(said, text);
    if (!named) fprintf(stderr, "expected \"%s\", got \"%s\"\n", text, said);
    return named && !good(comm, comm->kind->barrier(comm)) &&
           !good(comm, comm->kind->begin_step(comm)) && !comm->kind->look(comm);
}
static bool waits_in_nccl_for_a_dead_one(chl_comm *comm) {
    return waits_in_nccl(comm, "rank 1 has died");
}
static bool waits_in_nccl_for_a_stopped_one(chl_comm *comm) {
    return waits_in_nccl(comm, "has been stopped for 1 s");
}
static bool waits_in_a_broken_nccl(chl_comm *comm) {
    return waits_in_nccl(comm, "NCCL, in work that was queued: remote error");
}
static void nobody_waits_in_nccl_for_one_that_is_gone(void **state) {
    (void)state;
    lose_a_process(waits_in_nccl_for_a_dead_one, SIGKILL, true);
    lose_a_process(waits_in_nccl_for_a_stopped_one, SIGSTOP, true);
    with_threads_on_gpus(waits_in_a_broken_nccl, 1);
}

/* Rank 1 gets NCCL's id, and never meets the others with it; it removes the stand-in's file. */
static bool never_joins(chl_comm *comm) {
    char id[128];
    if (!good(comm, comm->kind->broadcast(comm, id, sizeof id, 0, NULL))) return false;
    usleep(300000);
    shm_unlink(id);
    pause();
    return false;
}
static bool cannot_open(const chl_comm_place *place, const char *text) {
    const char *why;
    if (!chl_comm_open(place, &why) && strstr(why, text)) return true;
    fprintf(stderr, "rank %d: expected \"%s\", got \"%s\"\n", place->rank, text, why);
    return false;
}
static void opens_without(bool dies, const char *text) {
    char meeting[32];
    int file, status, joined[2];
    meeting_place(meeting, sizeof meeting, &file);
    assert_int_equal(pipe(joined), 0);
    const pid_t other = start_process(
        &(job){.run = never_joins, .meeting = meeting, .rank = 1, .ranks = 2, .joined = joined[1]});
    char byte;
    assert_int_equal(read(joined[0], &byte, 1), 1);
    close(joined[0]);
    close(joined[1]);
    const pid_t child = fork();
    if (child == 0)
        _exit(!cannot_open(
            &(chl_comm_place){
                .rank = 0, .ranks = 2, .meeting = meeting, .idle = dies ? 0 : 1, .on_gpu = true},
            text));
    usleep(800000);
    if (dies) kill(other, SIGKILL);
    ends_well(child);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, &status, 0), other);
    close(file);
}
static void nobody_waits_for_one_that_does_not_open_nccl(void **state) {
    (void)state;
    opens_without(true, "NCCL's ranks could not meet: rank 1 has died");
    opens_without(false, "has done nothing, though others wait for it, for 1 s");
}

/* In a process of its own: a library that was opened stays. */
static bool finds_no_nccl(void) {
    const char *why;
    char place[32];
    const int file = memfd_create("ranks", 0);
    snprintf(place, sizeof place, "fd:%d", file);
    setenv("CHLADNI_NCCL", "/nowhere/libnccl.so", 1);
    chl_comm *comm =
        chl_comm_open(&(chl_comm_place){.ranks = 1, .meeting = place, .on_gpu = true}, &why);
    return !comm && strstr(why, "no NCCL") && strstr(why, "/nowhere/libnccl.so");
}
static void a_missing_nccl_is_named(void **state) {
    (void)state;
    const pid_t child = fork();
    if (child == 0) _exit(finds_no_nccl() ? 0 : 1);
    ends_well(child);
}

int main(void) {
    setenv("CHLADNI_NCCL", TEST_NCCL, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_nccl_is_named), /* before the stand-in is opened */
        cmocka_unit_test(gpus_exchange_through_nccl),
        cmocka_unit_test(nobody_waits_in_nccl_for_one_that_is_gone),
        cmocka_unit_test(nobody_waits_for_one_that_does_not_open_nccl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
