/* Two builds in turns: each is a process that times one run of one kernel when it is asked to, so
 * that what disturbs the machine disturbs both. */
#include "kernel_compare.h"
#include "kernels.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE 512
/* The lower quartile of these is one time: a process that has just woken up is slow at first. */
#define RUNS_AT_ONCE 9

/* --- the process that is asked ---------------------------------------------------------------- */
static chl_status answer(void *user, const char *set, const kernel_node *node) {
    (void)user;
    char key[KERNEL_KEY], line[LINE];
    kernel_key(node, key);
    printf("%s: %s\n", set, key);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "next\n") == 0) return CHL_OK;
        kernel_spread of_runs;
        double seconds[RUNS_AT_ONCE];
        for (int i = 0; i < RUNS_AT_ONCE; i++) CHL_TRY(kernel_run(node, &seconds[i]));
        of_runs = kernel_spread_of(seconds, RUNS_AT_ONCE);
        printf("%.9f\n", of_runs.low);
        fflush(stdout);
    }
    return chl_fail(CHL_ERR_CANCELLED, "whoever asked for times has gone");
}

chl_status kernel_serve(const kernel_command *c, const kernel_settings *settings) {
    CHL_TRY(kernel_select(c, settings, answer, NULL));
    printf("end\n");
    fflush(stdout);
    return CHL_OK;
}

/* --- who asks --------------------------------------------------------------------------------- */
typedef struct program {
    const char *name;
    pid_t process;
    FILE *to, *from;
    char line[LINE];
} program;

static chl_status start(program *p, char **arguments) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        return chl_fail(CHL_ERR_IO, "no pipe: %s", strerror(errno));
    p->process = fork();
    if (p->process == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        setenv("OMP_WAIT_POLICY", "passive", 1); /* who waits must not use a core */
        execv(p->name, arguments);
        fprintf(stderr, "chladni-bench: cannot run %s: %s\n", p->name, strerror(errno));
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    p->to = fdopen(in[1], "w");
    p->from = fdopen(out[0], "r");
    if (p->process < 0 || !p->to || !p->from)
        return chl_fail(CHL_ERR_IO, "cannot start %s: %s", p->name, strerror(errno));
    return CHL_OK;
}

static chl_status hear(program *p) {
    if (!fgets(p->line, sizeof p->line, p->from))
        return chl_fail(CHL_ERR_IO, "%s ended before it had timed all kernels", p->name);
    p->line[strcspn(p->line, "\n")] = 0;
    return CHL_OK;
}
static chl_status say(program *p, const char *text) {
    if (fputs(text, p->to) < 0 || fflush(p->to) != 0)
        return chl_fail(CHL_ERR_IO, "%s takes no more requests", p->name);
    return CHL_OK;
}
static chl_status ask(program *p, double *seconds) {
    CHL_TRY(say(p, "run\n"));
    CHL_TRY(hear(p));
    *seconds = strtod(p->line, NULL);
    if (*seconds > 0) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT, "%s: expected seconds > 0, got \"%s\"", p->name, p->line);
}

/* 0 where it ended well. */
static int finish(program *p) {
    int status = 0;
    if (p->to) fclose(p->to);
    if (p->from) fclose(p->from);
    if (p->process > 0) waitpid(p->process, &status, 0);
    return status;
}

static chl_status one_kernel(program *old_one, program *new_one, const kernel_command *c,
                             double risk, double *seconds, kernel_change *change) {
    double *before = seconds, *after = seconds + c->runs;
    for (int i = -KERNEL_WARM; i < c->runs; i++) {
        double a = 0, b = 0;
        if (i % 2 == 0) CHL_TRY(ask(old_one, &a));
        CHL_TRY(ask(new_one, &b));
        if (i % 2 != 0) CHL_TRY(ask(old_one, &a));
        if (i < 0) continue;
        before[i] = a;
        after[i] = b;
    }
    return kernel_change_paired(before, after, c->runs, risk, change);
}

#define KERNELS_AT_ONCE 60 /* the share of the risk that one kernel gets; more kernels, more risk */

static chl_status in_turns(program *old_one, program *new_one, const kernel_command *c,
                           int *slower) {
    double *seconds = calloc(2 * (size_t)c->runs, sizeof *seconds);
    if (!seconds) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", 2 * c->runs);
    chl_status status = CHL_OK;
    kernel_print_change_head(stdout, c->bound);
    for (;;) {
        kernel_change change;
        CHL_TRY_GOTO(hear(old_one));
        CHL_TRY_GOTO(hear(new_one));
        if (strcmp(old_one->line, new_one->line) != 0)
            CHL_TRY_GOTO(chl_fail(CHL_ERR_ARGUMENT,
                                  "%s has \"%s\" where %s has \"%s\": narrow "
                                  "PATTERN or the sets",
                                  old_one->name, old_one->line, new_one->name, new_one->line));
        if (strcmp(old_one->line, "end") == 0) break;
        char key[LINE];
        memcpy(key, old_one->line, sizeof key);
        CHL_TRY_GOTO(
            one_kernel(old_one, new_one, c, COMPARE_RISK / KERNELS_AT_ONCE, seconds, &change));
        CHL_TRY_GOTO(say(old_one, "next\n"));
        CHL_TRY_GOTO(say(new_one, "next\n"));
        kernel_print_change(stdout, key, &change, c->bound);
        *slower += strcmp(kernel_verdict(&change, c->bound), "slower") == 0;
    }
done:
    free(seconds);
    return status;
}

int kernel_turns(const kernel_command *c, int argc, char **argv) {
    program old_one = {.name = c->against}, new_one = {.name = "/proc/self/exe"};
    int slower = 0;
    /* getopt has moved words behind flags; both get the same line, which the other must not take for
     * a comparison of its own */
    char **arguments = calloc((size_t)argc + 3, sizeof *arguments);
    if (!arguments) return 1;
    int count = 0;
    static char program_name[] = "chladni-bench", serve[] = "--serve";
    arguments[count++] = program_name;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--against") == 0)
            i++;
        else if (strncmp(argv[i], "--against=", 10) != 0)
            arguments[count++] = argv[i];
    }
    arguments[count] = serve;
    signal(SIGPIPE, SIG_IGN);
    chl_status status = start(&old_one, arguments);
    if (status == CHL_OK) status = start(&new_one, arguments);
    if (status == CHL_OK) status = in_turns(&old_one, &new_one, c, &slower);
    if (status != CHL_OK) fprintf(stderr, "chladni-bench: %s\n", chl_error());
    const int failed = finish(&old_one) | finish(&new_one);
    free(arguments);
    return status != CHL_OK || failed || slower > 0;
}
