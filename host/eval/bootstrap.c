#include "base/random.h"
#include "eval/classified.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define DRAWS 2000
#define PURPOSE 0x626f6f74u /* of random numbers: "boot" */

typedef struct clusters {
    int64_t count;
    int64_t *sounds, *hits; /* [count] */
} clusters;

/* Sounds of one group are one cluster, a sound without a group is one of its own. */
static void gather(int64_t count, const int *hit, const int *group, int64_t *of, clusters *c) {
    for (int64_t i = 0; i < count; i++) {
        const bool alone = !group || group[i] < 0;
        int64_t at = alone ? -1 : of[group[i]];
        if (at < 0) at = c->count++;
        if (!alone) of[group[i]] = at;
        c->sounds[at]++;
        c->hits[at] += hit[i];
    }
}

static double draw(const clusters *c, uint64_t number) {
    int64_t sounds = 0, hits = 0;
    for (int64_t i = 0; i < c->count; i++) {
        const chl_philox random = chl_random(0, PURPOSE, number, (uint64_t)i);
        const int64_t at = chl_random_below(random.word[0], c->count);
        sounds += c->sounds[at];
        hits += c->hits[at];
    }
    return (double)hits / (double)sounds;
}

static int rising(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

chl_status chl_bootstrap_share(int64_t count, const int *hit, const int *group, double *low,
                               double *high) {
    *low = *high = NAN;
    if (count < 2) return CHL_OK;
    int groups = 0;
    for (int64_t i = 0; group && i < count; i++)
        if (group[i] >= groups) groups = group[i] + 1;
    const size_t room = (size_t)(count > groups ? count : groups);
    clusters c = {.sounds = calloc(room, sizeof *c.sounds), .hits = calloc(room, sizeof *c.hits)};
    int64_t *of = malloc(sizeof *of * room);
    double *share = malloc(sizeof *share * DRAWS);
    chl_status status = CHL_OK;
    if (c.sounds && c.hits && of && share) {
        for (size_t i = 0; i < room; i++) of[i] = -1;
        gather(count, hit, group, of, &c);
        for (int i = 0; i < DRAWS; i++) share[i] = draw(&c, (uint64_t)i);
        qsort(share, DRAWS, sizeof *share, rising);
        *low = share[DRAWS / 40]; /* 2.5 % */
        *high = share[DRAWS - 1 - DRAWS / 40];
    } else {
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for the interval of %lld sounds",
                          (long long)count);
    }
    free(c.sounds);
    free(c.hits);
    free(of);
    free(share);
    return status;
}
