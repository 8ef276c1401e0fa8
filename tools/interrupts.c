#include "interrupts.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define HANDLER_STACK ((size_t)64 << 10)
#define SAME_REQUEST 1 /* seconds in which signals are one request */

static atomic_int signal_seen;

static void note(int number) {
    int none = 0;
    atomic_compare_exchange_strong(&signal_seen, &none, number);
}

static void end_at_once(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A service manager or a batch system signals every process of a job, and so does the parent of
 * --ranks: the same request comes twice. A second request comes later; but the kernel repeats
 * SIGXCPU every second. */
static void *receive(void *watched) {
    const sigset_t set = *(sigset_t *)watched;
    double first = 0;
    for (int number; sigwait(&set, &number) == 0;) {
        if (first == 0)
            first = seconds_now();
        else if (number != SIGXCPU && seconds_now() - first > SAME_REQUEST)
            end_at_once(number);
        note(number);
    }
    return NULL;
}

static bool is_ignored(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* After the first SIGPIPE every write to the closed pipe fails with EPIPE. */
static void handle_broken_pipe(void) {
    static _Alignas(16) char memory[HANDLER_STACK];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    const struct sigaction action = {.sa_handler = note, .sa_flags = SA_ONSTACK | SA_RESTART};
    if (sigaltstack(&stack, NULL) == 0) sigaction(SIGPIPE, &action, NULL);
}

void watch_interrupts(void) {
    static sigset_t watched;
    pthread_t receiver;
    sigemptyset(&watched);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGUSR1);
    sigaddset(&watched, SIGUSR2);
    sigaddset(&watched, SIGXCPU);
    if (!is_ignored(SIGHUP)) sigaddset(&watched, SIGHUP);
    handle_broken_pipe();
    if (pthread_sigmask(SIG_BLOCK, &watched, NULL) != 0) return;
    if (pthread_create(&receiver, NULL, receive, &watched) != 0)
        pthread_sigmask(SIG_UNBLOCK, &watched, NULL); /* a signal then ends the program at once */
    else
        pthread_detach(receiver);
}

bool interrupted(void) {
    return atomic_load(&signal_seen) != 0;
}

int interrupt_code(void) {
    return 128 + atomic_load(&signal_seen);
}
