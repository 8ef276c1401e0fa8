#include "processes.h"
#include "options.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Seconds that the others have when one of those that belong together has failed, until they are
 * told to stop and until they are killed. As a rule they end themselves, at once. */
#define GRACE 10
#define MORE_GRACE 45

typedef struct processes {
    const process_set *set;
    process_ends *ends;
    char **arguments;
    int started, left;
    pid_t parent;
    pid_t child[MAX_PROCESSES]; /* 0: has ended or never began */
    double told, killed;        /* when what is left is to be; 0: never */
    sigset_t watched, before;
} processes;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- in the new process ------------------------------------------------------------------------- */
static void share_processors(int count) {
    cpu_set_t own; /* a batch system's share of the machine */
    char text[16];
    if (getenv("OMP_NUM_THREADS")) return;
    const int processors = sched_getaffinity(0, sizeof own, &own) == 0
                               ? CPU_COUNT(&own)
                               : (int)sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(text, sizeof text, "%d", processors > count ? processors / count : 1);
    setenv("OMP_NUM_THREADS", text, 1);
}

static void become(const processes *p, int index) {
    const int at_once[] = {SIGCHLD, SIGTSTP};
    sigset_t other;
    sigemptyset(&other);
    for (int i = 0; i < 2; i++)
        if (!sigismember(&p->before, at_once[i])) sigaddset(&other, at_once[i]);
    /* the others stay blocked, so that one that comes now waits for watch_interrupts */
    sigprocmask(SIG_UNBLOCK, &other, NULL);
    setpgid(0, 0); /* ctrl-C is for the parent, which passes it on once */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != p->parent) _exit(EXIT_RUN); /* it has ended before */
    p->set->become(p->set->user, index);
    share_processors(p->set->count);
    execv("/proc/self/exe", p->arguments);
    fprintf(stderr, "chladni: %s %d cannot be started: %s\n", p->set->what, index, strerror(errno));
    _exit(EXIT_RUN);
}

/* --- in the parent ------------------------------------------------------------------------------ */
static void send(const processes *p, int signal) {
    for (int i = 0; i < p->started; i++)
        if (p->child[i] > 0) kill(p->child[i], signal);
}

static void note_end(processes *p, int index, int status) {
    const bool killed = WIFSIGNALED(status);
    const int code = killed ? EXIT_RUN : WEXITSTATUS(status);
    p->child[index] = 0;
    p->ends->code[index] = code;
    p->left--;
    if (killed)
        fprintf(stderr, "chladni: %s %d was ended by signal %d (%s)\n", p->set->what, index,
                WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (p->set->ended) p->set->ended(p->set->user, index, code);
    if (code == EXIT_OK || code == EXIT_AGAIN || code == EXIT_INTERRUPT) return;
    if (p->ends->first_failed >= 0) return;
    p->ends->first_failed = index;
    if (!p->set->together) return;
    p->told = now() + GRACE;
    p->killed = now() + MORE_GRACE;
}

static void reap(processes *p) {
    int status;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;)
        for (int i = 0; i < p->started; i++)
            if (p->child[i] == ended) note_end(p, i, status);
}

/* ctrl-Z stops the parent alone: the others have process groups of their own. */
static void stand_still(const processes *p) {
    send(p, SIGSTOP);
    raise(SIGSTOP); /* until fg or bg */
    send(p, SIGCONT);
}

static void end_the_rest(processes *p) {
    if (p->told > 0 && now() > p->told) {
        send(p, SIGTERM);
        p->told = 0;
    }
    if (p->killed > 0 && now() > p->killed) {
        fprintf(stderr, "chladni: %d %s%s did not end within %d s and %s killed\n", p->left,
                p->set->what, p->left == 1 ? "" : "s", MORE_GRACE, p->left == 1 ? "is" : "are");
        send(p, SIGKILL);
        p->killed = 0;
    }
}

/* Passes on a signal, if one comes within the time, and looks who has ended. */
static void look(processes *p, const struct timespec *within) {
    const int signal = sigtimedwait(&p->watched, NULL, within);
    if (signal == SIGTSTP)
        stand_still(p);
    else if (signal > 0 && signal != SIGCHLD)
        send(p, signal);
    reap(p);
    end_the_rest(p);
}

static bool start(processes *p, int until) {
    while (p->started < until) {
        const pid_t child = fork();
        if (child == 0) become(p, p->started);
        if (child < 0) return false;
        p->child[p->started++] = child;
        p->left++;
    }
    return true;
}

static bool start_all(processes *p) {
    static const struct timespec moment = {.tv_nsec = 20000000};
    if (p->set->first_is_ready) {
        if (!start(p, 1)) return false;
        while (p->left > 0 && !p->set->first_is_ready(p->set->user)) look(p, &moment);
        if (!p->set->first_is_ready(p->set->user)) return true; /* it has ended before */
    }
    return start(p, p->set->count);
}

static void watch_signals(processes *p) {
    const int signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGHUP, SIGTSTP, SIGCHLD};
    sigemptyset(&p->watched);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&p->watched, signals[i]);
    sigprocmask(SIG_BLOCK, &p->watched, &p->before);
}

static bool cannot_start(const process_set *set, const char *why) {
    fprintf(stderr, "chladni: %d %ss cannot be started: %s\n", set->count, set->what, why);
    return false;
}

bool run_processes(const process_set *set, int argc, char **argv, process_ends *ends) {
    static const struct timespec second = {.tv_sec = 1};
    static char program[] = "chladni";
    processes p = {.set = set, .ends = ends, .parent = getpid()};
    ends->first_failed = -1;
    for (int i = 0; i < MAX_PROCESSES; i++) ends->code[i] = EXIT_RUN;
    if (set->count > MAX_PROCESSES) return cannot_start(set, "max. 64");
    p.arguments = calloc((size_t)argc + 2, sizeof *p.arguments);
    if (!p.arguments) return cannot_start(set, strerror(ENOMEM));
    p.arguments[0] = program;
    memcpy(p.arguments + 1, argv, (size_t)argc * sizeof *argv);
    watch_signals(&p);
    const bool started = start_all(&p);
    if (!started) {
        cannot_start(set, strerror(errno));
        send(&p, SIGKILL);
    }
    while (p.left > 0) look(&p, &second);
    sigprocmask(SIG_SETMASK, &p.before, NULL);
    free(p.arguments);
    return started;
}
