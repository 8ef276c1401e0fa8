#include "ranks.h"
#include "options.h"
#include <errno.h>
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
#define MAX_RANKS 64
#define GRACE 60 /* seconds that the others have when a rank has failed */

/* --- which rank this process is --------------------------------------------------------------- */
typedef struct group {
    const char *launcher, *rank, *ranks, *local;
    const char *needs; /* only where this is set too; NULL: always */
    const char *here;  /* how many ranks this machine has; may be absent */
    const char *job;   /* a name of the job; may be absent */
} group;

static const group groups[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", NULL, "LOCAL_WORLD_SIZE", "MASTER_PORT"},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", NULL,
     "OMPI_COMM_WORLD_LOCAL_SIZE", "PMIX_NAMESPACE"},
    {"mpirun", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", NULL, "MPI_LOCALNRANKS", NULL},
    {"Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_STEP_ID", NULL,
     "SLURM_JOB_ID"},
};

static bool number(const char *name, int *out) {
    const char *text = name ? getenv(name) : NULL;
    char *end;
    if (!text || !*text) return false;
    const long value = strtol(text, &end, 10);
    if (*end || value < 0 || value > 1000000) return false;
    *out = (int)value;
    return true;
}

static const group *find_group(rank_place *out) {
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        const group *g = &groups[i];
        if (g->needs && !getenv(g->needs)) continue;
        if (number(g->rank, &out->rank) && number(g->ranks, &out->ranks) &&
            number(g->local, &out->local))
            return g;
    }
    return NULL;
}

/* All ranks of a machine know the launcher's name of the job, or have the launcher as parent. */
static void place_of_job(const group *g, rank_place *out) {
    const char *job = g->job ? getenv(g->job) : NULL;
    char name[64] = "";
    for (int i = 0; job && job[i] && i < (int)sizeof name - 1; i++)
        name[i] = strchr("/ ", job[i]) ? '-' : job[i];
    snprintf(out->meeting, sizeof out->meeting, "file:/dev/shm/chladni-%d-%s-%d", (int)getuid(),
             *name ? name : "job", *name ? out->ranks : (int)getppid());
}

bool find_rank(int wanted, rank_place *out, char *why, int size) {
    *out = (rank_place){.ranks = 1};
    const group *g = find_group(out);
    const char *given = getenv(MEETING);
    int here;
    if (!g || out->ranks <= 1) {
        *out = (rank_place){.ranks = 1};
        return true;
    }
    out->launcher = given ? "--ranks" : g->launcher;
    if (out->rank >= out->ranks) {
        snprintf(why, (size_t)size, "%s must be below %s, got %d and %d", g->rank, g->ranks,
                 out->rank, out->ranks);
        return false;
    }
    if (wanted > 0 && wanted != out->ranks) {
        snprintf(why, (size_t)size, "--ranks %d, but %s has started %d: leave --ranks out", wanted,
                 out->launcher, out->ranks);
        return false;
    }
    if (number(g->here, &here) ? here != out->ranks : out->local != out->rank) {
        snprintf(why, (size_t)size,
                 "%s has started %d ranks on several machines: ranks must be on one machine",
                 g->launcher, out->ranks);
        return false;
    }
    if (given)
        snprintf(out->meeting, sizeof out->meeting, "%s", given);
    else
        place_of_job(g, out);
    return true;
}

void forget_meeting(const rank_place *place) {
    if (place->rank == 0 && strncmp(place->meeting, "file:", 5) == 0) unlink(place->meeting + 5);
}

/* --- starting them ---------------------------------------------------------------------------- */
typedef struct ranks_job {
    int ranks, left;
    pid_t child[MAX_RANKS]; /* 0: has ended */
    int code;               /* what the job ends with */
    bool failed;
    double deadline; /* then what is left is killed; 0: none */
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
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (getenv("OMP_NUM_THREADS")) return;
    set_number("OMP_NUM_THREADS", processors > ranks ? (int)(processors / ranks) : 1);
}

static void become_rank(const ranks_job *job, int rank, int file, char **arguments,
                        const sigset_t *before) {
    char meeting[32];
    sigprocmask(SIG_SETMASK, before, NULL);
    setpgid(0, 0); /* ctrl-C is for the parent, which passes it on once */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
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
        job->deadline = now() + GRACE;
    }
    if (!job->failed && rank == 0) job->code = code;
}

static void reap(ranks_job *job) {
    int status;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;)
        for (int r = 0; r < job->ranks; r++)
            if (job->child[r] == ended) note_end(job, r, status);
}

/* Until all have ended. */
static void watch(ranks_job *job, const sigset_t *watched) {
    const struct timespec second = {.tv_sec = 1};
    while (job->left > 0) {
        const int signal = sigtimedwait(watched, NULL, &second);
        if (signal > 0 && signal != SIGCHLD) send(job, signal);
        reap(job);
        if (job->deadline > 0 && now() > job->deadline) {
            fprintf(stderr, "chladni: %d rank%s did not end within %d s and %s killed\n", job->left,
                    job->left == 1 ? "" : "s", GRACE, job->left == 1 ? "is" : "are");
            send(job, SIGKILL);
            job->deadline = 0;
        }
    }
}

int run_ranks(int ranks, int argc, char **argv) {
    ranks_job job = {.ranks = ranks, .code = EXIT_RUN};
    static char program[] = "chladni";
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    const int file = memfd_create("chladni ranks", 0);
    if (ranks > MAX_RANKS || !arguments || file < 0) {
        fprintf(stderr, "chladni: %d ranks cannot be started: %s\n", ranks,
                ranks > MAX_RANKS ? "64 is the most" : strerror(errno));
        free(arguments);
        return EXIT_RUN;
    }
    arguments[0] = program;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
    sigset_t watched, before;
    const int signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP, SIGCHLD};
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
