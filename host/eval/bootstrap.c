#include "base/free.h"
#include "base/random.h"
#include "eval/classified.h"
#include "eval/report.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define DRAWS 2000
#define PURPOSE 0x626f6f74u /* of random numbers: "boot" */

typedef struct clusters {
    int64_t count;
    int64_t *members; /* [count] */
    double *sum;      /* [count] */
} clusters;

/* Numbers of one group are one cluster, one without a group is a cluster of its own. */
static void gather(int64_t count, const double *x, const int *group, int64_t *of, clusters *c) {
    for (int64_t i = 0; i < count; i++) {
        const bool alone = !group || group[i] < 0;
        int64_t at = alone ? -1 : of[group[i]];
        if (at < 0) at = c->count++;
        if (!alone) of[group[i]] = at;
        c->members[at]++;
        c->sum[at] += x[i];
    }
}

static double draw(const clusters *c, uint64_t number) {
    int64_t members = 0;
    double sum = 0;
    for (int64_t i = 0; i < c->count; i++) {
        const chl_philox random = chl_random(0, PURPOSE, number, (uint64_t)i);
        const int64_t at = chl_random_below(random.word[0], c->count);
        members += c->members[at];
        sum += c->sum[at];
    }
    return sum / (double)members;
}

static int rising(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

chl_status chl_bootstrap_mean(int64_t count, const double *x, const int *group, double *low,
                              double *high) {
    *low = *high = NAN;
    if (count < 2) return CHL_OK;
    int groups = 0;
    for (int64_t i = 0; group && i < count; i++)
        if (group[i] >= groups) groups = group[i] + 1;
    const size_t room = (size_t)(count > groups ? count : groups);
    clusters c = {.members = calloc(room, sizeof *c.members), .sum = calloc(room, sizeof *c.sum)};
    int64_t *of = malloc(sizeof *of * room);
    double *share = malloc(sizeof *share * DRAWS);
    chl_status status = CHL_OK;
    if (c.members && c.sum && of && share) {
        for (size_t i = 0; i < room; i++) of[i] = -1;
        gather(count, x, group, of, &c);
        for (int i = 0; i < DRAWS; i++) share[i] = draw(&c, (uint64_t)i);
        qsort(share, DRAWS, sizeof *share, rising);
        *low = share[DRAWS / 40]; /* 2.5 % */
        *high = share[DRAWS - 1 - DRAWS / 40];
    } else {
        status = chl_fail(CHL_ERR_MEMORY, "out of memory for the interval of %lld numbers",
                          (long long)count);
    }
    CHL_FREE(c.members, c.sum, of, share);
    return status;
}

chl_status chl_bootstrap_share(int64_t count, const int *hit, const int *group, double *low,
                               double *high) {
    double *x = malloc(sizeof *x * (size_t)(count + 1));
    if (!x) return chl_fail(CHL_ERR_MEMORY, "out of memory for an interval");
    for (int64_t i = 0; i < count; i++) x[i] = hit[i];
    const chl_status status = chl_bootstrap_mean(count, x, group, low, high);
    free(x);
    return status;
}

chl_status chl_report_interval(json_t *report, const char *key, int64_t count, const double *x,
                               const int *group) {
    double low, high;
    CHL_TRY(chl_bootstrap_mean(count, x, group, &low, &high));
    chl_json_set(report, key, json_pack("[o, o]", chl_report_number(low), chl_report_number(high)));
    return CHL_OK;
}
