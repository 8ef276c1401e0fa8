#include "comm_ranks.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

_Thread_local char said[TEXT];

bool take_part(const job *j) {
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

void meeting_place(char *text, size_t size, int *file) {
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

void with_threads(part run, int ranks) {
    with_threads_of(run, ranks, false);
}

void with_threads_on_gpus(part run, int ranks) {
    with_threads_of(run, ranks, true);
}

pid_t start_process(const job *j) {
    const pid_t child = fork();
    if (child == 0) _exit(take_part(j) ? 0 : 1);
    assert_true(child > 0);
    return child;
}

void with_processes(part run, int ranks) {
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

void with_every_kind(part run) {
    alone(run);
    for (int ranks = 1; ranks <= MOST; ranks++) {
        with_threads(run, ranks);
        with_threads_of(run, ranks, true);
        with_processes(run, ranks);
    }
}

void ends_well(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- what parts say --- */
bool good(chl_comm *comm, chl_kernel_status status) {
    if (status == CHL_KERNEL_OK) return true;
    const char *text = comm->kind->last_error(comm);
    snprintf(said, sizeof said, "%s", text ? text : "no reason given");
    return false;
}

bool fails_with(chl_comm *comm, const char *text) {
    while (good(comm, comm->kind->barrier(comm))) usleep(1000);
    if (strstr(said, text)) {
        const char *again = comm->kind->last_error(comm);
        return again == NULL && !good(comm, comm->kind->barrier(comm)) && strstr(said, text);
    }
    fprintf(stderr, "rank %d: expected \"%s\", got \"%s\"\n", (int)comm->rank, text, said);
    return false;
}

void lose_a_process(part run, int signal, bool on_gpu) {
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
    ends_well(child[0]);
    kill(child[1], SIGKILL);
    assert_int_equal(waitpid(child[1], &status, 0), child[1]);
    close(file);
}
