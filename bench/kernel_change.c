#include "kernel_change.h"
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest k with 2 P(statistic < k) <= risk, where chance[i] = P(statistic = i). */
static int rank_of_risk(const double *chance, int values, double risk) {
    double below = 0;
    for (int k = 0; k < values; k++) {
        below += chance[k];
        if (2 * below > risk) return k;
    }
    return values;
}

/* Ratio and interval from the `count` > 0 logarithms, which are sorted here. */
static void conclude(double *logs, int count, int k, kernel_change *out) {
    qsort(logs, (size_t)count, sizeof *logs, ascending);
    out->ratio = exp(0.5 * (logs[(count - 1) / 2] + logs[count / 2]));
    out->low = k > 0 ? exp(logs[k - 1]) : 0;
    out->high = k > 0 ? exp(logs[count - k]) : INFINITY;
}

/* --- pairs ------------------------------------------------------------------------------------ */
/* P(W = w) of the sum W of the ranks 1 ... n, each taken or left with probability 1/2; chance
 * [n (n + 1) / 2 + 1] */
static void signed_rank_chances(int n, double *chance) {
    int highest = 0;
    chance[0] = 1;
    for (int rank = 1; rank <= n; rank++) {
        for (int w = highest + 1; w <= highest + rank; w++) chance[w] = 0;
        highest += rank;
        for (int w = highest; w >= 0; w--)
            chance[w] = 0.5 * (chance[w] + (w >= rank ? chance[w - rank] : 0));
    }
}

chl_status kernel_change_paired(const double *old_seconds, const double *new_seconds, int n,
                                double risk, kernel_change *out) {
    const int means = n * (n + 1) / 2;
    double *mean = malloc((size_t)means * sizeof *mean);
    double *chance = malloc((size_t)(means + 1) * sizeof *chance);
    if (!mean || !chance) {
        free(mean);
        free(chance);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %d ratios", n);
    }
    for (int i = 0, at = 0; i < n; i++)
        for (int j = 0; j <= i; j++)
            mean[at++] =
                0.5 * (log(new_seconds[i] / old_seconds[i]) + log(new_seconds[j] / old_seconds[j]));
    signed_rank_chances(n, chance);
    conclude(mean, means, rank_of_risk(chance, means + 1, risk), out);
    free(mean);
    free(chance);
    return CHL_OK;
}

int kernel_starts_needed_paired(double risk) {
    int n = 1;
    while (n < KERNEL_MAX_STARTS && 2 * pow(0.5, n) > risk) n++; /* all ratios on one side */
    return n;
}

/* --- apart ------------------------------------------------------------------------------------ */
/* P(U = u) of the number U of pairs in which the second is above the first, for every order of n
 * first and m second ones equally likely [Mann & Whitney 1947, eq. 2: the highest of all is a first
 * or a second one]; chance [m + 1][n m + 1], whose last row is the answer. */
static void rank_sum_chances(int n, int m, double *chance) {
    const int values = n * m + 1;
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= m; j++)
            for (int u = values - 1; u >= 0; u--) {
                double *at = &chance[(size_t)j * (size_t)values + (size_t)u];
                if (i == 0 || j == 0) {
                    *at = u == 0;
                    continue;
                }
                const double above = u >= i ? at[-values - i] : 0; /* a second one, above all i */
                *at = (i * *at + j * above) / (i + j);
            }
}

chl_status kernel_change_apart(const double *old_seconds, int old_n, const double *new_seconds,
                               int new_n, double risk, kernel_change *out) {
    const int pairs = old_n * new_n;
    const size_t values = (size_t)pairs + 1;
    double *difference = malloc((size_t)pairs * sizeof *difference);
    double *chance = malloc((size_t)(new_n + 1) * values * sizeof *chance);
    if (!difference || !chance) {
        free(difference);
        free(chance);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %d ratios", pairs);
    }
    for (int i = 0; i < old_n; i++)
        for (int j = 0; j < new_n; j++)
            difference[i * new_n + j] = log(new_seconds[j] / old_seconds[i]);
    rank_sum_chances(old_n, new_n, chance);
    conclude(difference, pairs, rank_of_risk(chance + (size_t)new_n * values, (int)values, risk),
             out);
    free(difference);
    free(chance);
    return CHL_OK;
}

int kernel_starts_needed_apart(double risk) {
    int n = 0;
    double chance = 1; /* n! n! / (2 n)!: all of one program before all of the other */
    do {
        n++;
        chance *= n / (2.0 * (2 * n - 1));
    } while (n < KERNEL_MAX_STARTS && 2 * chance > risk);
    return n;
}

/* --- verdicts --------------------------------------------------------------------------------- */
const char *kernel_verdict(const kernel_change *c, double bound) {
    const double above = 1 + bound, below = 1 / above;
    if (c->low > 1 && c->ratio > above) return "slower";
    if (c->high < 1 && c->ratio < below) return "faster";
    return c->low >= below && c->high <= above ? "same" : "undecided";
}
