#include "ranks.h"
#include "options.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEETING "CHLADNI_MEETING"
#define COMM "CHLADNI_COMM" /* local or mpi, where both are possible */
#define MAX_RANKS 64
/* Seconds that the others have when a rank has failed, until they are told to stop and until they
 * are killed. As a rule they end themselves, at once */
#define GRACE 10
#define MORE_GRACE 45

/* --- which rank this process is --------------------------------------------------------------- */
typedef struct group {
    const char *launcher, *rank, *ranks, *local;
    const char *here;   /* how many ranks this machine has; may be absent */
    const char *job[2]; /* names of the job; may be absent */
} group;

/* SLURM_NTASKS is no group's: a batch script and an interactive allocation have it too, and are one
 * process. */
static const group groups[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", {"MASTER_PORT"}},
    {"Open MPI",
     "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE",
     {"PMIX_NAMESPACE"}},
    {"mpirun", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", {"PMI_JOBID"}},
    {"Slurm",
     "SLURM_PROCID",
     "SLURM_STEP_NUM_TASKS",
     "SLURM_LOCALID",
     "SLURM_STEP_TASKS_PER_NODE",
     {"SLURM_JOB_ID", "SLURM_STEP_ID"}},
};
#define GROUPS (sizeof groups / sizeof groups[0])

static bool number(const char *name, int *out) {
    const char *text = name ? getenv(name) : NULL;
    char *end;
    if (!text || !*text) return false;
    const long value = strtol(text, &end, 10);
    if (*end || value < 0 || value > 1000000) return false;
    *out = (int)value;
    return true;
}

/* srun --pty gives its terminal to one of its processes, a shell: what is typed there is one
 * process, although it inherits the variables of a rank. */
static bool typed_in_step(void) {
    int task = 0;
    return number("SLURM_TASK_PID", &task) && task != (int)getpid() && isatty(STDIN_FILENO);
}

static bool read_rank(const group *g, rank_place *out) {
    if (strcmp(g->launcher, "Slurm") == 0 && typed_in_step()) return false;
    return number(g->rank, &out->rank) && number(g->ranks, &out->ranks) && out->ranks > 1;
}

/* The first group that is there. */
static const group *find_group(rank_place *out) {
    for (size_t i = 0; i < GROUPS; i++)
        if (read_rank(&groups[i], out) && number(groups[i].local, &out->local)) return &groups[i];
    return NULL;
}

/* Where no group is complete: one that lacks its last variable, or whose rank cannot be read, is no
 * process alone. Each such process would write the same folder. */
static bool is_alone(char *why, int size) {
    rank_place place;
    for (size_t i = 0; i < GROUPS; i++) {
        const group *g = &groups[i];
        if (getenv(g->rank) && !number(g->rank, &place.rank) && number(g->ranks, &place.ranks) &&
            place.ranks > 1) {
            snprintf(why, (size_t)size,
                     "%s must be a whole number below %s, which is %d, got \"%.64s\"", g->rank,
                     g->ranks, place.ranks, getenv(g->rank));
            return false;
        }
        if (!read_rank(g, &place)) continue;
        snprintf(why, (size_t)size,
                 "%s is %d and %s is %d, but %s, the number on this machine, is not set: set it, "
                 "or give --ranks 1 to compute alone",
                 g->rank, place.rank, g->ranks, place.ranks, g->local);
        return false;
    }
    return true;
}

/* --- where the ranks of a machine meet ---------------------------------------------------------- */
/* Whether the environment with which a process was started names a variable. */
static bool was_given(pid_t process, const char *name) {
    char path[64], *entry = NULL;
    size_t size = 0;
    bool found = false;
    const size_t length = strlen(name);
    snprintf(path, sizeof path, "/proc/%d/environ", (int)process);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    while (!found && getdelim(&entry, &size, 0, file) > 0)
        found = strncmp(entry, name, length) == 0 && entry[length] == '=';
    free(entry);
    fclose(file);
    return found;
}

static pid_t parent_of(pid_t process) {
    char path[64], text[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *end = strrchr(text, ')'); /* of the name: the letter of its state, its parent */
    return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* The launcher's process on this machine: the first ancestor that was started without a rank.
 * Between it and this process there may be a shell that runs a script, one for each rank. */
static pid_t launcher_of(const group *g) {
    pid_t at = getppid();
    while (at > 1 && was_given(at, g->rank)) at = parent_of(at);
    return at;
}

/* By the launcher's name of the job, or by its process. */
static void place_of_job(const group *g, rank_place *out) {
    char name[96] = "";
    int used = 0;
    for (int k = 0; k < 2; k++) {
        const char *job = g->job[k] ? getenv(g->job[k]) : NULL;
        if (job && used > 0) name[used++] = '-';
        for (; job && *job && used < 40 * (k + 1); job++)
            name[used++] = strchr("/ ", *job) ? (char)'-' : *job;
    }
    name[used] = 0;
    snprintf(out->meeting, sizeof out->meeting, "file:/dev/shm/chladni-%d-%s-%d", (int)getuid(),
             *name ? name : "job", *name ? out->ranks : (int)launcher_of(g));
}

static bool on_one_machine(const group *g, const rank_place *place) {
    int here;
    if (!g->here || !getenv(g->here)) return place->local == place->rank;
    return number(g->here, &here) && here == place->ranks; /* Slurm writes "2(x3)" of three */
}

/* Ranks of one machine need no MPI. torchrun starts none: its ranks do not know each other by it. */
static bool choose_kind(const group *g, const rank_place *place, bool *over_mpi, char *why,
                        int size) {
    const char *asked = getenv(COMM);
    const bool near = on_one_machine(g, place), local = asked && strcmp(asked, "local") == 0;
    *over_mpi = asked && *asked ? strcmp(asked, "mpi") == 0 : !near;
    if (asked && *asked && !*over_mpi && !local)
        snprintf(why, (size_t)size, COMM " must be local or mpi, got \"%.64s\"", asked);
    else if (!near && (local || strcmp(g->launcher, "torchrun") == 0))
        snprintf(why, (size_t)size,
                 "%s has started %d ranks on several machines: those meet by MPI: start them with "
                 "mpirun or srun, without " COMM "=local",
                 g->launcher, place->ranks);
    else
        return true;
    return false;
}

bool find_rank(int wanted, rank_place *out, char *why, int size) {
    *out = (rank_place){.ranks = 1};
    if (wanted == 1) return true;
    const group *g = find_group(out);
    const char *given = getenv(MEETING);
    if (!g) {
        *out = (rank_place){.ranks = 1};
        return is_alone(why, size);
    }
    out->launcher = given ? "--ranks" : g->launcher;
    if (out->rank >= out->ranks) {
        snprintf(why, (size_t)size, "%s must be below %s, got %d and %d", g->rank, g->ranks,
                 out->rank, out->ranks);
        return false;
    }
    if (wanted > 0 && wanted != out->ranks) {
        snprintf(why, (size_t)size,
                 "--ranks %d, but %s has started %d: leave --ranks out, or give --ranks 1 to "
                 "compute alone",
                 wanted, out->launcher, out->ranks);
        return false;
    }
    if (given) {
        snprintf(out->meeting, sizeof out->meeting, "%s", given);
        return true;
    }
    bool over_mpi;
    if (!choose_kind(g, out, &over_mpi, why, size)) return false;
    if (over_mpi)
        snprintf(out->meeting, sizeof out->meeting, "mpi");
    else
        place_of_job(g, out);
    if (out->rank == 0)
        fprintf(stderr, "chladni: rank 0 of %d, by %s and %s; --ranks 1 computes alone\n",
                out->ranks, g->rank, g->ranks);
    return true;
}

void forget_meeting(const rank_place *place) {
    if (place->rank == 0 && strncmp(place->meeting, "file:", 5) == 0) unlink(place->meeting + 5);
}

/* --- starting them ---------------------------------------------------------------------------- */
typedef struct ranks_job {
    int ranks, left;
    pid_t parent;
    pid_t child[MAX_RANKS]; /* 0: has ended */
    int code;               /* what the job ends with */
    bool failed;
    double told, killed; /* when what is left is to be; 0: never */
} ranks_job;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void set_number(const char *name, int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    setenv(name, text, 1);
}

/* Each rank has its share of the processors. */
static void share_processors(int ranks) {
    cpu_set_t own; /* a batch system's share of the machine */
    if (getenv("OMP_NUM_THREADS")) return;
    const int processors = sched_getaffinity(0, sizeof own, &own) == 0
                               ? CPU_COUNT(&own)
                               : (int)sysconf(_SC_NPROCESSORS_ONLN);
    set_number("OMP_NUM_THREADS", processors > ranks ? processors / ranks : 1);
}

static void become_rank(const ranks_job *job, int rank, int file, char **arguments,
                        const sigset_t *before) {
    char meeting[32];
    const int at_once[] = {SIGCHLD, SIGTSTP};
    sigset_t other;
    sigemptyset(&other);
    for (int i = 0; i < 2; i++)
        if (!sigismember(before, at_once[i])) sigaddset(&other, at_once[i]);
    /* the others stay blocked, so that one that comes now waits for watch_interrupts */
    sigprocmask(SIG_UNBLOCK, &other, NULL);
    setpgid(0, 0); /* ctrl-C is for the parent, which passes it on once */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != job->parent) _exit(EXIT_RUN); /* it has ended before */
    snprintf(meeting, sizeof meeting, "fd:%d", file);
    setenv(MEETING, meeting, 1);
    set_number("RANK", rank);
    set_number("WORLD_SIZE", job->ranks);
    set_number("LOCAL_RANK", rank);
    set_number("LOCAL_WORLD_SIZE", job->ranks);
    share_processors(job->ranks);
    execv("/proc/self/exe", arguments);
    fprintf(stderr, "chladni: rank %d cannot be started: %s\n", rank, strerror(errno));
    _exit(EXIT_RUN);
}

static void send(const ranks_job *job, int signal) {
    for (int r = 0; r < job->ranks; r++)
        if (job->child[r] > 0) kill(job->child[r], signal);
}

static void note_end(ranks_job *job, int rank, int status) {
    const bool killed = WIFSIGNALED(status);
    const int code = killed ? EXIT_RUN : WEXITSTATUS(status);
    const bool bad = code != EXIT_OK && code != EXIT_AGAIN && code != EXIT_INTERRUPT;
    job->child[rank] = 0;
    job->left--;
    if (killed)
        fprintf(stderr, "chladni: rank %d was ended by signal %d (%s)\n", rank, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    if (bad && !job->failed) {
        job->failed = true;
        job->code = code;
        job->told = now() + GRACE;
        job->killed = now() + MORE_GRACE;
    }
    if (!job->failed && rank == 0) job->code = code;
}

static void reap(ranks_job *job) {
    int status;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;)
        for (int r = 0; r < job->ranks; r++)
            if (job->child[r] == ended) note_end(job, r, status);
}

/* ctrl-Z stops the parent alone: the ranks have process groups of their own. */
static void stand_still(const ranks_job *job) {
    send(job, SIGSTOP);
    raise(SIGSTOP); /* until fg or bg */
    send(job, SIGCONT);
}

static void end_the_rest(ranks_job *job) {
    if (job->told > 0 && now() > job->told) {
        send(job, SIGTERM);
        job->told = 0;
    }
    if (job->killed > 0 && now() > job->killed) {
        fprintf(stderr, "chladni: %d rank%s did not end within %d s and %s killed\n", job->left,
                job->left == 1 ? "" : "s", MORE_GRACE, job->left == 1 ? "is" : "are");
        send(job, SIGKILL);
        job->killed = 0;
    }
}

/* Until all have ended. */
static void watch(ranks_job *job, const sigset_t *watched) {
    const struct timespec second = {.tv_sec = 1};
    while (job->left > 0) {
        const int signal = sigtimedwait(watched, NULL, &second);
        if (signal == SIGTSTP)
            stand_still(job);
        else if (signal > 0 && signal != SIGCHLD)
            send(job, signal);
        reap(job);
        end_the_rest(job);
    }
}

int run_ranks(int ranks, int argc, char **argv) {
    ranks_job job = {.ranks = ranks, .parent = getpid(), .code = EXIT_RUN};
    static char program[] = "chladni";
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    const int file = memfd_create("chladni ranks", 0);
    if (ranks > MAX_RANKS || !arguments || file < 0) {
        fprintf(stderr, "chladni: %d ranks cannot be started: %s\n", ranks,
                ranks > MAX_RANKS ? "max. 64" : strerror(errno));
        free(arguments);
        return EXIT_RUN;
    }
    arguments[0] = program;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
    sigset_t watched, before;
    const int signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGHUP, SIGTSTP, SIGCHLD};
    sigemptyset(&watched);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) sigaddset(&watched, signals[i]);
    sigprocmask(SIG_BLOCK, &watched, &before);
    for (int r = 0; r < ranks && !job.failed; r++) {
        job.child[r] = fork();
        if (job.child[r] == 0) become_rank(&job, r, file, arguments, &before);
        job.failed = job.child[r] < 0;
        job.left += !job.failed;
    }
    if (job.failed) {
        fprintf(stderr, "chladni: %d ranks cannot be started: %s\n", ranks, strerror(errno));
        send(&job, SIGKILL);
    }
    watch(&job, &watched);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(file);
    free(arguments);
    return job.code;
}
