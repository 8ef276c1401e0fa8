/* What every kind of communicator promises (kernels/collectives.h): `self`, `local` with threads
 * and with processes as ranks, and `nccl` over a library of the same functions, with threads. */
#include "base/progress.h"
#include "runtime/comm.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MOST 4
/* more than a box of the kind local, and no multiple of anything */
#define LARGE 200003
#define TEXT 320

/* A rank's part of a test: false is a failure, of which error_text speaks. Asserting is for the
 * thread that runs the tests. */
typedef bool (*part)(chl_comm *comm);

typedef struct job {
    part run;
    const char *meeting;
    int rank, ranks, patience, coming, idle;
    bool on_gpu, good;
    int (*told_to_stop)(void *user);
    int joined; /* a pipe for a byte of each rank that has joined; 0: none */
} job;

static _Thread_local char said[TEXT];

static bool take_part(const job *j) {
    const char *why;
    const chl_comm_place place = {.rank = j->rank,
                                  .ranks = j->ranks,
                                  .meeting = j->meeting,
                                  .patience = j->patience,
                                  .coming = j->coming,
                                  .idle = j->idle,
                                  .told_to_stop = j->told_to_stop,
                                  .on_gpu = j->on_gpu};
    chl_comm *comm = chl_comm_open(&place, &why);
    if (!comm) {
        fprintf(stderr, "rank %d: %s\n", j->rank, why);
        return false;
    }
    if (j->joined && write(j->joined, "", 1) != 1) return false;
    const bool good = j->run(comm);
    comm->kind->close(comm);
    return good;
}

static void *thread_of_rank(void *of) {
    job *j = of;
    j->good = take_part(j);
    return NULL;
}

static void meeting_place(char *text, size_t size, int *file) {
    *file = memfd_create("ranks", 0);
    assert_true(*file >= 0);
    snprintf(text, size, "fd:%d", *file);
}

static void with_threads_of(part run, int ranks, bool on_gpu) {
    pthread_t thread[MOST];
    job jobs[MOST];
    char place[32];
    int file;
    meeting_place(place, sizeof place, &file);
    for (int r = 0; r < ranks; r++) {
        jobs[r] = (job){.run = run, .meeting = place, .rank = r, .ranks = ranks, .on_gpu = on_gpu};
        assert_int_equal(pthread_create(&thread[r], NULL, thread_of_rank, &jobs[r]), 0);
    }
    for (int r = 0; r < ranks; r++) {
        pthread_join(thread[r], NULL);
        if (!jobs[r].good) fail_msg("rank %d of %d threads fails", r, ranks);
    }
    close(file);
}

static void with_threads(part run, int ranks) {
    with_threads_of(run, ranks, false);
}

static pid_t start_process(const job *j) {
    const pid_t child = fork();
    if (child == 0) _exit(take_part(j) ? 0 : 1);
    assert_true(child > 0);
    return child;
}

static void with_processes(part run, int ranks) {
    pid_t child[MOST];
    char place[32];
    int file;
    meeting_place(place, sizeof place, &file);
    for (int r = 0; r < ranks; r++)
        child[r] = start_process(
            &(job){.run = run, .meeting = place, .rank = r, .ranks = ranks, .patience = 1});
    for (int r = 0; r < ranks; r++) {
        int status;
        assert_int_equal(waitpid(child[r], &status, 0), child[r]);
        if (status != 0) fail_msg("rank %d of %d processes fails", r, ranks);
    }
    close(file);
}

static void alone(part run) {
    const char *why;
    chl_comm *comm = chl_comm_open(&(chl_comm_place){.ranks = 1}, &why);
    assert_non_null(comm);
    assert_string_equal(comm->kind->name, "self");
    assert_true(run(comm));
    comm->kind->close(comm);
}

static void with_every_kind(part run) {
    alone(run);
    for (int ranks = 1; ranks <= MOST; ranks++) {
        with_threads(run, ranks);
        with_threads_of(run, ranks, true);
        with_processes(run, ranks);
    }
}

/* --- data whose sums are exact -----------------------------------------------------------------
 */
static float number(int rank, size_t i) {
    return (float)(rank + 1) * (float)(1 + i % 1000);
}
static float sum_of_numbers(int ranks, size_t i) {
    return (float)(ranks * (ranks + 1) / 2) * (float)(1 + i % 1000);
}
static const size_t counts[] = {1, 7, 65536, LARGE};

static bool good(chl_comm *comm, chl_kernel_status status) {
    if (status == CHL_KERNEL_OK) return true;
    const char *text = comm->kind->last_error(comm);
    snprintf(said, sizeof said, "%s", text ? text : "no reason given");
    return false;
}

/* --- collectives ------------------------------------------------------------------------------ */
static bool gather(chl_comm *comm) {
    bool same = true;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0] && same; c++) {
        const size_t count = counts[c], ranks = (size_t)comm->ranks;
        float *from = malloc(count * sizeof *from), *to = malloc(ranks * count * sizeof *to);
        for (size_t i = 0; i < count; i++) from[i] = number(comm->rank, i);
        same = good(comm, comm->kind->all_gather(comm, from, to, count * sizeof *from, NULL));
        for (size_t r = 0; r < ranks && same; r++)
            for (size_t i = 0; i < count; i++)
                same = same && to[r * count + i] == number((int)r, i);
        free(from);
        free(to);
    }
    return same;
}
static void gathered_parts_stand_in_the_order_of_ranks(void **state) {
    (void)state;
    with_every_kind(gather);
}

static bool reduce(chl_comm *comm) {
    bool same = true;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0] && same; c++) {
        const size_t count = counts[c];
        float *from = malloc(count * sizeof *from), *to = malloc(count * sizeof *to);
        for (size_t i = 0; i < count; i++) from[i] = number(comm->rank, i);
        same = good(comm, comm->kind->all_reduce(comm, from, to, count, NULL));
        for (size_t i = 0; i < count; i++)
            same =
                same && to[i] == sum_of_numbers(comm->ranks, i) && from[i] == number(comm->rank, i);
        same = same && good(comm, comm->kind->all_reduce(comm, from, from, count, NULL)) &&
               memcmp(from, to, count * sizeof *to) == 0;
        free(from);
        free(to);
    }
    return same;
}
static void every_rank_gets_the_sum_in_place_too(void **state) {
    (void)state;
    with_every_kind(reduce);
}

static bool scatter(chl_comm *comm) {
    bool same = true;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0] && same; c++) {
        const size_t count = counts[c], all = count * (size_t)comm->ranks;
        float *from = malloc(all * sizeof *from), *to = malloc(count * sizeof *to);
        for (size_t i = 0; i < all; i++) from[i] = number(comm->rank, i);
        same = good(comm, comm->kind->reduce_scatter(comm, from, to, count, NULL));
        for (size_t i = 0; i < count; i++)
            same = same && to[i] == sum_of_numbers(comm->ranks, i + (size_t)comm->rank * count);
        free(from);
        free(to);
    }
    return same;
}
static void a_rank_gets_the_sum_of_its_row(void **state) {
    (void)state;
    with_every_kind(scatter);
}

static bool spread(chl_comm *comm) {
    bool same = true;
    float *data = malloc(LARGE * sizeof *data);
    for (int root = 0; root < comm->ranks && same; root++) {
        for (size_t i = 0; i < LARGE; i++) data[i] = number(comm->rank, i);
        same = good(comm, comm->kind->broadcast(comm, data, LARGE * sizeof *data, root, NULL));
        for (size_t i = 0; i < LARGE; i++) same = same && data[i] == number(root, i);
    }
    free(data);
    return same && comm->kind->broadcast(comm, NULL, 0, comm->ranks, NULL) == CHL_KERNEL_BAD_INPUT;
}
static void all_get_the_data_of_the_root(void **state) {
    (void)state;
    with_every_kind(spread);
}

/* Numbers of very different sizes: another order gives other bits. */
static bool reduce_rounded(chl_comm *comm) {
    enum { COUNT = 5000 };
    static const float size[MOST] = {1e8f, 1, -1e8f, 3e-4f};
    float from[COUNT], to[COUNT], row[COUNT * MOST], mine[COUNT];
    bool same = true;
    for (int i = 0; i < COUNT; i++) from[i] = size[comm->rank] * (float)(1 + i % 7);
    for (int i = 0; i < COUNT * comm->ranks; i++) row[i] = from[i % COUNT];
    for (int again = 0; again < 20 && same; again++) {
        same = good(comm, comm->kind->all_reduce(comm, from, to, COUNT, NULL)) &&
               good(comm, comm->kind->reduce_scatter(comm, row, mine, COUNT, NULL));
        for (int i = 0; i < COUNT && same; i++) {
            float sum = size[0] * (float)(1 + i % 7);
            for (int r = 1; r < comm->ranks; r++) sum += size[r] * (float)(1 + i % 7);
            same = to[i] == sum && mine[i] == sum;
        }
    }
    return same;
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

/* --- faults ----------------------------------------------------------------------------------- */
/* Ranks call barrier until it fails, and hold its text. */
static bool fails_with(chl_comm *comm, const char *text) {
    while (good(comm, comm->kind->barrier(comm))) usleep(1000);
    if (strstr(said, text)) {
        const char *again = comm->kind->last_error(comm);
        return again == NULL && !good(comm, comm->kind->barrier(comm)) && strstr(said, text);
    }
    fprintf(stderr, "rank %d: expected \"%s\", got \"%s\"\n", (int)comm->rank, text, said);
    return false;
}

static bool one_aborts(chl_comm *comm) {
    if (comm->rank == 1) comm->kind->abort(comm, "its disk is full");
    return fails_with(comm, "rank 1: its disk is full");
}
static bool one_leaves(chl_comm *comm) {
    return comm->rank == 1 || fails_with(comm, "rank 1 has left the job");
}
static bool one_differs(chl_comm *comm) {
    float x[2] = {1, 2};
    if (comm->rank == 1) {
        const bool first = good(comm, comm->kind->all_reduce(comm, x, x, 2, NULL));
        return !first && strstr(said, "all must call the same") != NULL;
    }
    const bool first = good(comm, comm->kind->all_reduce(comm, x, x, 1, NULL));
    return !first && strstr(said, "all_reduce of 8") != NULL;
}
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
/* Rank 1 gets `signal`; rank 0 must end well. */
static void lose_a_process_of(part run, int signal, bool on_gpu) {
    char place[32];
    int file, status;
    meeting_place(place, sizeof place, &file);
    int joined[2];
    char byte;
    pid_t child[2];
    assert_int_equal(pipe(joined), 0);
    for (int r = 0; r < 2; r++)
        child[r] = start_process(&(job){.run = run,
                                        .meeting = place,
                                        .rank = r,
                                        .ranks = 2,
                                        .patience = 1,
                                        .on_gpu = on_gpu,
                                        .joined = joined[1]});
    for (int r = 0; r < 2; r++) assert_int_equal(read(joined[0], &byte, 1), 1);
    close(joined[0]);
    close(joined[1]);
    usleep(100000);
    assert_int_equal(kill(child[1], signal), 0);
    assert_int_equal(waitpid(child[0], &status, 0), child[0]);
    assert_int_equal(status, 0);
    kill(child[1], SIGKILL);
    assert_int_equal(waitpid(child[1], &status, 0), child[1]);
    close(file);
}
static void who_dies_or_stands_ends_the_job_and_is_named(void **state) {
    (void)state;
    lose_a_process_of(waits_for_a_dead_one, SIGKILL, false);
    lose_a_process_of(waits_for_a_stopped_one, SIGSTOP, false);
}

static bool waits_for_an_idle_one(chl_comm *comm) {
    if (comm->rank == 1) pause();
    return fails_with(comm, "has done nothing, though others wait for it, for 1 s");
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
        assert_int_equal(waitpid(child[0], &status, 0), child[0]);
        assert_int_equal(status, 0);
        if (!computes) kill(child[1], SIGKILL);
        assert_int_equal(waitpid(child[1], &status, 0), child[1]);
        if (computes) assert_int_equal(status, 0);
        close(file);
    }
}

/* In a step: rank 1 hangs in a loop, or computes and finishes something now and then. */
static void compute_for(int milliseconds) {
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    const double until = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec + 1e-3 * milliseconds;
    while ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec < until)
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
}
static bool waits_for_one_in_a_loop(chl_comm *comm) {
    if (!good(comm, comm->kind->begin_step(comm))) return false;
    if (comm->rank == 1) compute_for(1000000);
    return fails_with(comm, "has computed for 1 s without finishing anything");
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
        assert_int_equal(waitpid(child[0], &status, 0), child[0]);
        assert_int_equal(status, 0);
        if (hangs) kill(child[1], SIGKILL);
        assert_int_equal(waitpid(child[1], &status, 0), child[1]);
        if (!hangs) assert_int_equal(status, 0);
        close(file);
    }
}

static int always(void *user) {
    (void)user;
    return 1;
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
    int file, status;
    meeting_place(place, sizeof place, &file);
    pid_t child[2];
    for (int r = 0; r < 2; r++)
        child[r] = start_process(&(job){
            .run = comes_late, .meeting = place, .rank = r, .ranks = 2, .told_to_stop = always});
    for (int r = 0; r < 2; r++) {
        assert_int_equal(waitpid(child[r], &status, 0), child[r]);
        assert_int_equal(status, 0);
    }
    close(file);
}

/* The first reason counts, and all know whose it is. */
static bool two_fail(chl_comm *comm) {
    bool on_request = true;
    char why[32];
    if (!good(comm, comm->kind->barrier(comm))) return false;
    snprintf(why, sizeof why, "reason %d", (int)comm->rank);
    comm->kind->abort(comm, why);
    const int first = comm->kind->who_failed(comm, &on_request);
    snprintf(why, sizeof why, "rank %d: reason %d", first, first);
    return first >= 0 && !on_request && fails_with(comm, why);
}
static void the_first_of_two_that_fail_is_known_to_all(void **state) {
    (void)state;
    with_threads(two_fail, MOST);
    with_threads_of(two_fail, MOST, true);
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
    for (int r = 0; r < 2; r++) {
        int status;
        assert_int_equal(waitpid(child[r], &status, 0), child[r]);
        assert_int_equal(status, 0);
    }
    close(file);
}

/* --- nccl ------------------------------------------------------------------------------------- */
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
    with_threads_of(is_nccl, 3, true);
    with_threads_of(one_aborts, 3, true);
    with_threads_of(one_differs_to_nccl, 2, true);
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
    lose_a_process_of(waits_in_nccl_for_a_dead_one, SIGKILL, true);
    lose_a_process_of(waits_in_nccl_for_a_stopped_one, SIGSTOP, true);
    with_threads_of(waits_in_a_broken_nccl, 1, true);
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
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
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
    int status;
    const pid_t child = fork();
    if (child == 0) _exit(finds_no_nccl() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
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
    for (int r = 0; r < 2; r++) {
        int status;
        assert_int_equal(waitpid(child[r], &status, 0), child[r]);
        assert_int_equal(status, 0);
    }
    unlink(name);
}

/* --- mpi: one of the ranks that mpirun has started (tests/runtime/mpi.sh) ----------------------- */
static bool stops_on_request(chl_comm *comm) {
    bool on_request = false;
    if (comm->rank == 1) sleep(8);
    return comm->rank == 1 || (fails_with(comm, "was told to stop while it waited for rank 1") &&
                               comm->kind->who_failed(comm, &on_request) >= 0 && on_request);
}
static bool misses_a_stopped_one(chl_comm *comm) {
    const bool met = good(comm, comm->kind->barrier(comm));
    usleep(500000); /* they have heard of each other */
    if (comm->rank == 1) raise(SIGSTOP);
    return met && fails_with(comm, "has died or is stopped: it has not been heard of for 2 s");
}
static bool is_mpi(chl_comm *comm) {
    return strcmp(comm->kind->name, "mpi") == 0 && comm->kind->host_memory;
}
static bool nccl_meets_over_mpi(chl_comm *comm) {
    return strcmp(comm->kind->name, "nccl") == 0 &&
           strcmp(chl_comm_host(comm)->kind->name, "mpi") == 0 && reduce(comm) && scatter(comm);
}

static const struct {
    const char *name;
    part run;
    bool fails; /* MPI is not finished then, so that there is one such part in a process */
    int patience, idle;
    int (*told_to_stop)(void *user);
    bool on_gpu;
} parts_of_mpi[] = {
    {"is_mpi", is_mpi, .fails = false},
    {"gather", gather, .fails = false},
    {"reduce", reduce, .fails = false},
    {"scatter", scatter, .fails = false},
    {"spread", spread, .fails = false},
    {"reduce_rounded", reduce_rounded, .fails = false},
    {"nccl", nccl_meets_over_mpi, .on_gpu = true},
    {"one_aborts", one_aborts, .fails = true},
    {"one_leaves", one_leaves, .fails = true},
    {"one_differs", one_differs, .fails = true},
    {"two_fail", two_fail, .fails = true},
    {"idle", waits_for_an_idle_one, .fails = true, .idle = 1},
    {"loop", waits_for_one_in_a_loop, .fails = true, .idle = 1},
    {"stopped", misses_a_stopped_one, .fails = true, .patience = 2},
    {"request", stops_on_request, .fails = true, .told_to_stop = always},
};

/* Writes a file for the script when it is good, and waits up to 20 s until `good` ranks other than
 * `culprit` have: mpirun may end all when one ends without finishing MPI. */
static bool tell_script(const char *folder, int rank, int ranks, int good_ranks,
                        const char *culprit) {
    char path[512];
    snprintf(path, sizeof path, "%s/%d", folder, rank);
    FILE *file = fopen(path, "w");
    if (!file || fclose(file) != 0) return false;
    for (int i = 0; i < 200; i++) {
        int there = 0;
        for (int r = 0; r < ranks; r++) {
            snprintf(path, sizeof path, "%s/%d", folder, r);
            there += (*culprit == '-' || r != atoi(culprit)) && access(path, F_OK) == 0;
        }
        if (there >= good_ranks) break;
        usleep(100000);
    }
    return true;
}

/* Rank 1 is in MPI, but does not open a communicator: rank 0 does not wait for it forever. */
static bool one_is_refused(int rank, int ranks) {
    const char *why, *text = rank == 1 ? "MPI says" : "not all ranks have come within 1 s";
    const chl_comm_place place = {
        .rank = rank, .ranks = ranks + (rank == 1), .meeting = "mpi", .coming = 1};
    if (!chl_comm_open(&place, &why) && strstr(why, text)) return true;
    fprintf(stderr, "rank %d: expected \"%s\", got \"%s\"\n", rank, text, why);
    return false;
}

static int run_mpi(const char *name, const char *folder, int good_ranks, const char *culprit) {
    job j = {.meeting = "mpi",
             .rank = atoi(getenv("OMPI_COMM_WORLD_RANK")),
             .ranks = atoi(getenv("OMPI_COMM_WORLD_SIZE"))};
    bool one = strcmp(name, "one_is_refused") == 0;
    bool all = !one || one_is_refused(j.rank, j.ranks);
    for (size_t i = 0; i < sizeof parts_of_mpi / sizeof parts_of_mpi[0]; i++) {
        if (strcmp(name, "good") == 0 ? parts_of_mpi[i].fails : strcmp(name, parts_of_mpi[i].name))
            continue;
        one = true;
        j.run = parts_of_mpi[i].run;
        j.idle = parts_of_mpi[i].idle;
        j.patience = parts_of_mpi[i].patience;
        j.told_to_stop = parts_of_mpi[i].told_to_stop;
        j.on_gpu = parts_of_mpi[i].on_gpu;
        if (take_part(&j)) continue;
        fprintf(stderr, "rank %d of %d: %s fails\n", j.rank, j.ranks, parts_of_mpi[i].name);
        all = false;
    }
    if (!all || !one) return 1;
    return tell_script(folder, j.rank, j.ranks, good_ranks, culprit) ? 0 : 1;
}

int main(int argc, char **argv) {
    setenv("CHLADNI_NCCL", TEST_NCCL, 1);
    if (argc == 5) return run_mpi(argv[1], argv[2], atoi(argv[3]), argv[4]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_nccl_is_named), /* before the stand-in is opened */
        cmocka_unit_test(gathered_parts_stand_in_the_order_of_ranks),
        cmocka_unit_test(every_rank_gets_the_sum_in_place_too),
        cmocka_unit_test(a_rank_gets_the_sum_of_its_row),
        cmocka_unit_test(all_get_the_data_of_the_root),
        cmocka_unit_test(sums_begin_with_rank_0_in_every_run),
        cmocka_unit_test(nobody_is_a_step_ahead),
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
        cmocka_unit_test(gpus_exchange_through_nccl),
        cmocka_unit_test(nobody_waits_in_nccl_for_one_that_is_gone),
        cmocka_unit_test(nobody_waits_for_one_that_does_not_open_nccl),
        cmocka_unit_test(wrong_places_are_refused),
        cmocka_unit_test(ranks_meet_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
