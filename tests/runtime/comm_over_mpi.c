/* The kind `mpi`: one of the ranks that mpirun has started (mpi.sh).
 *   comm_over_mpi PART FOLDER GOOD CULPRIT    writes FOLDER/RANK where the part was good */
#include "comm_parts.h"
#include <signal.h>
#include <stdlib.h>

static bool stops_on_request(chl_comm *comm) {
    bool on_request = false;
    if (comm->rank == 1) sleep(8);
    return comm->rank == 1 || (fails_with(comm, "was told to stop while it waited for rank 1") &&
                               comm->kind->who_failed(comm, &on_request) >= 0 && on_request);
}
static bool misses_a_stopped_one(chl_comm *comm) {
    const bool met = good(comm, comm->kind->barrier(comm));
    usleep(500000); /* they have heard of each other */
    if (comm->rank == 1) raise(SIGSTOP);
    return met && fails_with(comm, "has died or is stopped: it has not been heard of for 2 s");
}
static bool is_mpi(chl_comm *comm) {
    return strcmp(comm->kind->name, "mpi") == 0 && comm->kind->host_memory;
}
static bool nccl_meets_over_mpi(chl_comm *comm) {
    return strcmp(comm->kind->name, "nccl") == 0 &&
           strcmp(chl_comm_host(comm)->kind->name, "mpi") == 0 && reduce(comm) && scatter(comm);
}

static const struct {
    const char *name;
    part run;
    bool fails; /* MPI is not finished then, so that there is one such part in a process */
    int patience, idle;
    int (*told_to_stop)(void *user);
    bool on_gpu;
} parts_of_mpi[] = {
    {"is_mpi", is_mpi, .fails = false},
    {"gather", gather, .fails = false},
    {"reduce", reduce, .fails = false},
    {"scatter", scatter, .fails = false},
    {"spread", spread, .fails = false},
    {"reduce_rounded", reduce_rounded, .fails = false},
    {"nccl", nccl_meets_over_mpi, .on_gpu = true},
    {"one_aborts", one_aborts, .fails = true},
    {"one_leaves", one_leaves, .fails = true},
    {"one_differs", one_differs, .fails = true},
    {"two_fail", two_fail, .fails = true},
    {"idle", waits_for_an_idle_one, .fails = true, .idle = 1},
    {"loop", waits_for_one_in_a_loop, .fails = true, .idle = 1},
    {"stopped", misses_a_stopped_one, .fails = true, .patience = 2},
    {"request", stops_on_request, .fails = true, .told_to_stop = always},
};

/* Writes a file for the script when it is good, and waits up to 20 s until `good` ranks other than
 * `culprit` have: mpirun may end all when one ends without finishing MPI. */
static bool tell_script(const char *folder, int rank, int ranks, int good_ranks,
                        const char *culprit) {
    char path[512];
    snprintf(path, sizeof path, "%s/%d", folder, rank);
    FILE *file = fopen(path, "w");
    if (!file || fclose(file) != 0) return false;
    for (int i = 0; i < 200; i++) {
        int there = 0;
        for (int r = 0; r < ranks; r++) {
            snprintf(path, sizeof path, "%s/%d", folder, r);
            there += (*culprit == '-' || r != atoi(culprit)) && access(path, F_OK) == 0;
        }
        if (there >= good_ranks) break;
        usleep(100000);
    }
    return true;
}

/* Rank 1 is in MPI, but does not open a communicator: rank 0 does not wait for it forever. */
static bool one_is_refused(int rank, int ranks) {
    const char *why, *text = rank == 1 ? "MPI says" : "not all ranks have come within 1 s";
    const chl_comm_place place = {
        .rank = rank, .ranks = ranks + (rank == 1), .meeting = "mpi", .coming = 1};
    if (!chl_comm_open(&place, &why) && strstr(why, text)) return true;
    fprintf(stderr, "rank %d: expected \"%s\", got \"%s\"\n", rank, text, why);
    return false;
}

static int run_mpi(const char *name, const char *folder, int good_ranks, const char *culprit) {
    job j = {.meeting = "mpi",
             .rank = atoi(getenv("OMPI_COMM_WORLD_RANK")),
             .ranks = atoi(getenv("OMPI_COMM_WORLD_SIZE"))};
    bool one = strcmp(name, "one_is_refused") == 0;
    bool all = !one || one_is_refused(j.rank, j.ranks);
    for (size_t i = 0; i < sizeof parts_of_mpi / sizeof parts_of_mpi[0]; i++) {
        if (strcmp(name, "good") == 0 ? parts_of_mpi[i].fails : strcmp(name, parts_of_mpi[i].name))
            continue;
        one = true;
        j.run = parts_of_mpi[i].run;
        j.idle = parts_of_mpi[i].idle;
        j.patience = parts_of_mpi[i].patience;
        j.told_to_stop = parts_of_mpi[i].told_to_stop;
        j.on_gpu = parts_of_mpi[i].on_gpu;
        if (take_part(&j)) continue;
        fprintf(stderr, "rank %d of %d: %s fails\n", j.rank, j.ranks, parts_of_mpi[i].name);
        all = false;
    }
    if (!all || !one) return 1;
    return tell_script(folder, j.rank, j.ranks, good_ranks, culprit) ? 0 : 1;
}

int main(int argc, char **argv) {
    setenv("CHLADNI_NCCL", TEST_NCCL, 1);
    if (argc == 5) return run_mpi(argv[1], argv[2], atoi(argv[3]), argv[4]);
    fprintf(stderr, "usage: comm_over_mpi PART FOLDER GOOD CULPRIT\n");
    return 2;
}
