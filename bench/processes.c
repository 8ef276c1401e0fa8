#include "processes.h"
#include "arguments.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void end_others(const pid_t *child, int ranks) {
    for (int r = 0; r < ranks; r++)
        if (child[r] > 0) kill(child[r], SIGTERM);
}

int bench_run_ranks(int ranks, int (*run)(void *user, int rank), void *user) {
    pid_t child[BENCH_MAX_RANKS] = {0};
    int failed = 0, left = 0;
    fflush(NULL); /* or each process writes it */
    for (int r = 0; r < ranks && !failed; r++) {
        child[r] = fork();
        if (child[r] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int code = run(user, r);
            _exit(bench_finish(code));
        }
        failed = child[r] < 0;
        left += !failed;
    }
    if (failed) end_others(child, ranks);
    for (int status; left > 0; left--) {
        const pid_t ended = wait(&status);
        for (int r = 0; r < ranks; r++)
            if (child[r] == ended) child[r] = 0;
        if (!failed && status != 0) end_others(child, ranks);
        failed = failed || status != 0;
    }
    return failed;
}

int bench_meeting(char *text, int *file) {
    *file = memfd_create("chladni bench", 0);
    snprintf(text, 32, "fd:%d", *file);
    if (*file < 0) fprintf(stderr, "chladni-bench: no shared memory: %s\n", strerror(errno));
    return *file >= 0;
}
