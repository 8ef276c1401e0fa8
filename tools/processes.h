/* Several processes of this program: started with the same arguments, sent the same signals, and
 * waited for. The ranks of a training and the workers of a batch are such. */
#ifndef CHL_TOOLS_PROCESSES_H
#define CHL_TOOLS_PROCESSES_H
#include <stdbool.h>

#define MAX_PROCESSES 64

typedef struct process_set {
    const char *what; /* one of them in messages: "rank" */
    int count;
    bool together; /* one that fails ends the others: after some time they are told to stop, then
                      killed */
    void (*become)(void *user, int index); /* in the new process: sets its environment */
    /* Where there is one the others are started once it is true, and not at all where the first has
     * ended before. */
    bool (*first_is_ready)(void *user);
    void (*ended)(void *user, int index, int code); /* may be absent */
    void *user;
} process_set;

typedef struct process_ends {
    int code
        [MAX_PROCESSES]; /* exit codes; EXIT_RUN of one that a signal ended or that never began */
    int first_failed;    /* -1: all ended with 0 or because they were told to stop */
} process_ends;

/* Returns when all have ended. argv[0] is the subcommand. Each gets its share of the processors
 * (OMP_NUM_THREADS, unless it is set), and is told to stop when this process ends. Signals are
 * passed on once; ctrl-Z stops all. False with a text on stderr: they could not be started. */
bool run_processes(const process_set *set, int argc, char **argv, process_ends *ends);
#endif
