#include "comm_parts.h"
#include <stdlib.h>
#include <time.h>

/* more than a box of the kind local, and no multiple of anything */
#define LARGE 200003

/* --- data whose sums are exact -----------------------------------------------------------------
 */
static float number(int rank, size_t i) {
    return (float)(rank + 1) * (float)(1 + i % 1000);
}
static float sum_of_numbers(int ranks, size_t i) {
    return (float)(ranks * (ranks + 1) / 2) * (float)(1 + i % 1000);
}
static const size_t counts[] = {1, 7, 65536, LARGE};

/* --- collectives ------------------------------------------------------------------------------ */
bool gather(chl_comm *comm) {
    bool same = true;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0] && same; c++) {
        const size_t count = counts[c], ranks = (size_t)comm->ranks;
        float *from = malloc(count * sizeof *from), *to = malloc(ranks * count * sizeof *to);
        for (size_t i = 0; i < count; i++) from[i] = number(comm->rank, i);
        same = good(comm, comm->kind->all_gather(comm, from, to, count * sizeof *from, NULL));
        for (size_t r = 0; r < ranks && same; r++)
            for (size_t i = 0; i < count; i++)
                same = same && to[r * count + i] == number((int)r, i);
        free(from);
        free(to);
    }
    return same;
}

bool reduce(chl_comm *comm) {
    bool same = true;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0] && same; c++) {
        const size_t count = counts[c];
        float *from = malloc(count * sizeof *from), *to = malloc(count * sizeof *to);
        for (size_t i = 0; i < count; i++) from[i] = number(comm->rank, i);
        same = good(comm, comm->kind->all_reduce(comm, from, to, count, NULL));
        for (size_t i = 0; i < count; i++)
            same =
                same && to[i] == sum_of_numbers(comm->ranks, i) && from[i] == number(comm->rank, i);
        same = same && good(comm, comm->kind->all_reduce(comm, from, from, count, NULL)) &&
               memcmp(from, to, count * sizeof *to) == 0;
        free(from);
        free(to);
    }
    return same;
}

bool scatter(chl_comm *comm) {
    bool same = true;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0] && same; c++) {
        const size_t count = counts[c], all = count * (size_t)comm->ranks;
        float *from = malloc(all * sizeof *from), *to = malloc(count * sizeof *to);
        for (size_t i = 0; i < all; i++) from[i] = number(comm->rank, i);
        same = good(comm, comm->kind->reduce_scatter(comm, from, to, count, NULL));
        for (size_t i = 0; i < count; i++)
            same = same && to[i] == sum_of_numbers(comm->ranks, i + (size_t)comm->rank * count);
        free(from);
        free(to);
    }
    return same;
}

bool spread(chl_comm *comm) {
    bool same = true;
    float *data = malloc(LARGE * sizeof *data);
    for (int root = 0; root < comm->ranks && same; root++) {
        for (size_t i = 0; i < LARGE; i++) data[i] = number(comm->rank, i);
        same = good(comm, comm->kind->broadcast(comm, data, LARGE * sizeof *data, root, NULL));
        for (size_t i = 0; i < LARGE; i++) same = same && data[i] == number(root, i);
    }
    free(data);
    return same && comm->kind->broadcast(comm, NULL, 0, comm->ranks, NULL) == CHL_KERNEL_BAD_INPUT;
}

/* Numbers of very different sizes: another order gives other bits. */
bool reduce_rounded(chl_comm *comm) {
    enum { COUNT = 5000 };
    static const float size[MOST] = {1e8f, 1, -1e8f, 3e-4f};
    float from[COUNT], to[COUNT], row[COUNT * MOST], mine[COUNT];
    bool same = true;
    for (int i = 0; i < COUNT; i++) from[i] = size[comm->rank] * (float)(1 + i % 7);
    for (int i = 0; i < COUNT * comm->ranks; i++) row[i] = from[i % COUNT];
    for (int again = 0; again < 20 && same; again++) {
        same = good(comm, comm->kind->all_reduce(comm, from, to, COUNT, NULL)) &&
               good(comm, comm->kind->reduce_scatter(comm, row, mine, COUNT, NULL));
        for (int i = 0; i < COUNT && same; i++) {
            float sum = size[0] * (float)(1 + i % 7);
            for (int r = 1; r < comm->ranks; r++) sum += size[r] * (float)(1 + i % 7);
            same = to[i] == sum && mine[i] == sum;
        }
    }
    return same;
}

/* --- faults ----------------------------------------------------------------------------------- */
bool one_aborts(chl_comm *comm) {
    if (comm->rank == 1) comm->kind->abort(comm, "its disk is full");
    return fails_with(comm, "rank 1: its disk is full");
}

bool one_leaves(chl_comm *comm) {
    return comm->rank == 1 || fails_with(comm, "rank 1 has left the job");
}

bool one_differs(chl_comm *comm) {
    float x[2] = {1, 2};
    if (comm->rank == 1) {
        const bool first = good(comm, comm->kind->all_reduce(comm, x, x, 2, NULL));
        return !first && strstr(said, "all must call the same") != NULL;
    }
    const bool first = good(comm, comm->kind->all_reduce(comm, x, x, 1, NULL));
    return !first && strstr(said, "all_reduce of 8") != NULL;
}

/* The first reason counts, and all know whose it is. */
bool two_fail(chl_comm *comm) {
    bool on_request = true;
    char why[32];
    if (!good(comm, comm->kind->barrier(comm))) return false;
    snprintf(why, sizeof why, "reason %d", (int)comm->rank);
    comm->kind->abort(comm, why);
    const int first = comm->kind->who_failed(comm, &on_request);
    snprintf(why, sizeof why, "rank %d: reason %d", first, first);
    return first >= 0 && !on_request && fails_with(comm, why);
}

bool waits_for_an_idle_one(chl_comm *comm) {
    if (comm->rank == 1) pause();
    return fails_with(comm, "has done nothing, though others wait for it, for 1 s");
}

/* In a step: rank 1 hangs in a loop, or computes and finishes something now and then. */
void compute_for(int milliseconds) {
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    const double until = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec + 1e-3 * milliseconds;
    while ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec < until)
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
}

bool waits_for_one_in_a_loop(chl_comm *comm) {
    if (!good(comm, comm->kind->begin_step(comm))) return false;
    if (comm->rank == 1) compute_for(1000000);
    return fails_with(comm, "has computed for 1 s without finishing anything");
}

int always(void *user) {
    (void)user;
    return 1;
}
