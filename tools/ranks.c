#include "ranks.h"
#include "options.h"
#include "processes.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEETING "CHLADNI_MEETING"
#define COMM "CHLADNI_COMM" /* local or mpi, where both are possible */

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
typedef struct rank_start {
    int ranks, file; /* the file in which they meet */
} rank_start;

static void set_number(const char *name, int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    setenv(name, text, 1);
}

static void become_rank(void *user, int rank) {
    const rank_start *start = user;
    char meeting[32];
    snprintf(meeting, sizeof meeting, "fd:%d", start->file);
    setenv(MEETING, meeting, 1);
    set_number("RANK", rank);
    set_number("WORLD_SIZE", start->ranks);
    set_number("LOCAL_RANK", rank);
    set_number("LOCAL_WORLD_SIZE", start->ranks);
}

int run_ranks(int ranks, int argc, char **argv) {
    rank_start start = {ranks, memfd_create("chladni ranks", 0)};
    const process_set set = {
        .what = "rank", .count = ranks, .together = true, .become = become_rank, .user = &start};
    process_ends ends;
    if (start.file < 0) {
        fprintf(stderr, "chladni: %d ranks cannot be started: %s\n", ranks, strerror(errno));
        return EXIT_RUN;
    }
    const bool started = run_processes(&set, argc, argv, &ends);
    close(start.file);
    if (!started) return EXIT_RUN;
    return ends.code[ends.first_failed >= 0 ? ends.first_failed : 0];
}
