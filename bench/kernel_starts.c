#include "kernel_starts.h"
#include "kernel_change.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE 4096
#define RUNS_AT_ONCE                                                                               \
    5 /* fewer and the program that has just woken up is slow, more and they drift */

/* --- the process that is asked ---------------------------------------------------------------- */
static chl_status answer(void *user, const char *set, const kernel_node *node) {
    (void)user;
    char key[KERNEL_KEY], line[LINE];
    int runs;
    double seconds;
    kernel_key(node, key);
    printf("%s: %s\n", set, key);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "next\n") == 0) return CHL_OK;
        if (sscanf(line, "run %d", &runs) != 1)
            return chl_fail(CHL_ERR_FORMAT, "expected \"run N\" or \"next\", got \"%s\"", line);
        CHL_TRY(kernel_run(node, &seconds)); /* wakes up */
        for (int i = 0; i < runs; i++) {
            CHL_TRY(kernel_run(node, &seconds));
            printf("%.6e%c", seconds, i + 1 < runs ? ' ' : '\n');
        }
        fflush(stdout);
    }
    return chl_fail(CHL_ERR_CANCELLED, "whoever asked for times has gone");
}

static const char *clock_name(bool processor) {
    return processor ? "clock processor" : "clock wall";
}

chl_status kernel_serve(const kernel_command *c, const kernel_settings *settings) {
    printf("%s\n", clock_name(settings->processor));
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

/* At most RUNS_AT_ONCE runs. */
static chl_status ask(program *p, int runs, double *seconds) {
    char request[32];
    snprintf(request, sizeof request, "run %d\n", runs);
    CHL_TRY(say(p, request));
    CHL_TRY(hear(p));
    char *at = p->line;
    for (int i = 0; i < runs; i++) {
        seconds[i] = strtod(at, &at);
        if (!(seconds[i] > 0))
            return chl_fail(CHL_ERR_FORMAT, "%s: expected %d times > 0, got \"%s\"", p->name, runs,
                            p->line);
    }
    return CHL_OK;
}

/* 0 where it ended well. */
static int finish(program *p) {
    int status = 0;
    if (p->to) fclose(p->to);
    if (p->from) fclose(p->from);
    if (p->process > 0) waitpid(p->process, &status, 0);
    *p = (program){.name = p->name};
    return status;
}

/* --- one start of each ------------------------------------------------------------------------ */
typedef struct round {
    const kernel_command *command;
    program program[2];
    int programs, number; /* of this start, from 0 */
    double *seconds[2];   /* [runs of a start] */
} round;

/* What both say must be the same line. */
static chl_status hear_all(round *r) {
    program *a = &r->program[0], *b = &r->program[1];
    for (int p = 0; p < r->programs; p++) CHL_TRY(hear(&r->program[p]));
    if (r->programs < 2 || strcmp(a->line, b->line) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT,
                    "%s has \"%s\" where %s has \"%s\": narrow PATTERN or the sets, or build both "
                    "from versions that measure alike",
                    a->name, a->line, b->name, b->line);
}

/* The figures of the kernel that has been announced. */
static chl_status time_in_turns(round *r, double figure[2]) {
    const int runs = r->command->runs_per_start;
    for (int done = 0, turn = r->number; done < runs; done += RUNS_AT_ONCE, turn++)
        for (int i = 0; i < r->programs; i++) {
            const int p = (turn + i) % r->programs; /* who begins changes */
            const int now = runs - done < RUNS_AT_ONCE ? runs - done : RUNS_AT_ONCE;
            CHL_TRY(ask(&r->program[p], now, r->seconds[p] + done));
        }
    for (int p = 0; p < r->programs; p++) {
        figure[p] = kernel_spread_of(r->seconds[p], runs).median;
        CHL_TRY(say(&r->program[p], "next\n"));
    }
    return CHL_OK;
}

/* Room for one kernel more; only in the first round. */
static chl_status new_kernel(kernel_starts *f, const char *key) {
    const size_t kernels = (size_t)f->kernels + 1, length = strlen(key);
    if (length >= KERNEL_START_KEY)
        return chl_fail(CHL_ERR_FORMAT, "expected the name of a kernel, got \"%.80s...\"", key);
    char(*keys)[KERNEL_START_KEY] = realloc(f->key, kernels * sizeof *keys);
    if (!keys) return chl_fail(CHL_ERR_MEMORY, "out of memory for the kernels' names");
    f->key = keys;
    for (int p = 0; p < 2; p++) {
        double *more = realloc(f->seconds[p], kernels * (size_t)f->starts * sizeof *more);
        if (!more) return chl_fail(CHL_ERR_MEMORY, "out of memory for %d starts", f->starts);
        f->seconds[p] = more;
    }
    memcpy(f->key[f->kernels++], key, length + 1);
    return CHL_OK;
}

static chl_status time_kernels(round *r, kernel_starts *f) {
    CHL_TRY(hear_all(r));
    f->processor = strcmp(r->program[0].line, clock_name(true)) == 0;
    for (int kernel = 0;; kernel++) {
        double figure[2] = {0, 0};
        CHL_TRY(hear_all(r));
        const char *key = r->program[0].line;
        if (strcmp(key, "end") == 0) return CHL_OK;
        if (r->number == 0) CHL_TRY(new_kernel(f, key));
        if (kernel >= f->kernels || strcmp(f->key[kernel], key) != 0)
            return chl_fail(CHL_ERR_INTERNAL, "%s times \"%s\", which its first start did not",
                            r->program[0].name, key);
        CHL_TRY(time_in_turns(r, figure));
        for (int p = 0; p < r->programs; p++)
            f->seconds[p][(size_t)kernel * (size_t)f->starts + (size_t)r->number] = figure[p];
    }
}

static chl_status one_start(round *r, char **arguments, kernel_starts *f) {
    chl_status status = CHL_OK;
    for (int p = 0; p < r->programs && status == CHL_OK; p++)
        status = start(&r->program[p], arguments);
    if (status == CHL_OK) status = time_kernels(r, f);
    for (int p = 0; p < r->programs; p++) {
        const int failed = finish(&r->program[p]);
        if (failed && status == CHL_OK)
            status = chl_fail(CHL_ERR_INTERNAL, "%s failed after it had timed all kernels",
                              r->program[p].name);
    }
    return status;
}

/* --- all starts ------------------------------------------------------------------------------- */
static chl_status check_starts(const kernel_starts *f, int programs) {
    const double risk = COMPARE_RISK / (f->kernels ? f->kernels : 1);
    const int needed =
        programs == 2 ? kernel_starts_needed_paired(risk) : kernel_starts_needed_apart(risk);
    if (f->starts >= needed) return CHL_OK;
    return chl_fail(
        CHL_ERR_ARGUMENT,
        "starts must be >= %d to bound the intervals of %d kernel%s at a risk of %g %% for "
        "all, got %d",
        needed, f->kernels, f->kernels == 1 ? "" : "s", 100 * COMPARE_RISK, f->starts);
}

chl_status kernel_starts_measure(const kernel_command *c, const char *const program[2],
                                 char **arguments, kernel_starts *out) {
    *out = (kernel_starts){.starts = c->starts};
    round r = {.command = c,
               .programs = program[1] ? 2 : 1,
               .program = {{.name = program[0]}, {.name = program[1]}}};
    chl_status status = CHL_OK;
    for (int p = 0; p < r.programs; p++) {
        r.seconds[p] = calloc((size_t)c->runs_per_start, sizeof(double));
        if (!r.seconds[p])
            CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for %d times", c->runs_per_start));
    }
    signal(SIGPIPE, SIG_IGN);
    for (; r.number < c->starts; r.number++) {
        fprintf(stderr, "start %d of %d\n", r.number + 1, c->starts);
        CHL_TRY_GOTO(one_start(&r, arguments, out));
        if (r.number == 0) CHL_TRY_GOTO(check_starts(out, r.programs));
    }
done:
    free(r.seconds[0]);
    free(r.seconds[1]);
    return status;
}

void kernel_starts_free(kernel_starts *f) {
    free(f->key);
    free(f->seconds[0]);
    free(f->seconds[1]);
    *f = (kernel_starts){0};
}
