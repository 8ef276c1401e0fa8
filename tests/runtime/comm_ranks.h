/* Ranks of a communicator as threads and as processes, for its tests. */
#ifndef TESTS_COMM_RANKS_H
#define TESTS_COMM_RANKS_H
#include "runtime/comm.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define MOST 4
#define TEXT 320

/* A rank's part of a test: false is a failure, of which `said` speaks. Asserting is for the
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

/* This rank's part; the communicator is opened before and closed behind it. */
bool take_part(const job *j);
/* What meets there: "fd:N" of an empty file, which the caller closes. */
void meeting_place(char *text, size_t size, int *file);
/* Each fails the test unless every rank's part is good. */
void with_threads(part run, int ranks);
void with_threads_on_gpus(part run, int ranks);
void with_processes(part run, int ranks);
/* One rank alone, threads, threads with a GPU each, processes. */
void with_every_kind(part run);
/* A process that ends with 0 where its part is good. */
pid_t start_process(const job *j);
/* Waits for a process, which must end with 0. */
void ends_well(pid_t child);
/* Two processes, of which rank 1 gets `signal`; rank 0 must end well. */
void lose_a_process(part run, int signal, bool on_gpu);

/* Why the last call of this thread failed */
extern _Thread_local char said[TEXT];
/* Whether this went well; else `said` is set. */
bool good(chl_comm *comm, chl_kernel_status status);
/* Calls barrier until it fails; whether that, and every call behind it, holds the text. */
bool fails_with(chl_comm *comm, const char *text);
#endif
