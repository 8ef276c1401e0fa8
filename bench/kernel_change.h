/* How much slower a kernel became between two builds, from one figure per process start.
 *
 * The start is the unit: where memory lies, and which core and which neighbours a process gets, is
 * drawn anew at every start and stays for its life, so that runs within a process agree with each
 * other more than with those of the next process. */
#ifndef CHL_BENCH_KERNEL_CHANGE_H
#define CHL_BENCH_KERNEL_CHANGE_H
#include "base/status.h"

typedef struct kernel_change {
    double ratio, low, high; /* new over old, and its interval; 0 and infinity: n is too low */
} kernel_change;

#define KERNEL_MAX_STARTS 100
/* The risk that any of a comparison's intervals misses its ratio; divided among the kernels. */
#define COMPARE_RISK 0.01

/* Pairs: old_seconds[i] and new_seconds[i] are of starts side by side, 1 <= n <= KERNEL_MAX_STARTS.
 * ratio: exp of the median of all means of two log-ratios, a pair with itself included [Hodges &
 * Lehmann 1963]; low and high: the k-th smallest and largest of these means, k the largest for which
 * Wilcoxon's signed rank statistic is below k with a probability of at most risk / 2. This holds where
 * the log-ratios lie symmetrically around theirs; for equal builds, whose starts can be exchanged,
 * they do. CHL_ERR_MEMORY. */
chl_status kernel_change_paired(const double *old_seconds, const double *new_seconds, int n,
                                double risk, kernel_change *out);
/* Not in pairs, 1 <= old_n, new_n <= KERNEL_MAX_STARTS: the same with the differences of all pairs of
 * logarithms, and the distribution of Mann and Whitney's statistic. Holds where the logarithms of both
 * have the same distribution but for a shift. CHL_ERR_MEMORY. */
chl_status kernel_change_apart(const double *old_seconds, int old_n, const double *new_seconds,
                               int new_n, double risk, kernel_change *out);
/* The lowest number of pairs, or of starts of each program, that bounds an interval. */
int kernel_starts_needed_paired(double risk);
int kernel_starts_needed_apart(double risk);

/* "slower": low > 1 and ratio > 1 + bound; "faster": high < 1 and ratio < 1 / (1 + bound); "same": the
 * whole interval lies between 1 / (1 + bound) and 1 + bound; otherwise "undecided". So equal builds
 * are called slower or faster with a probability of at most the intervals' risk, whatever the bound
 * is. */
const char *kernel_verdict(const kernel_change *change, double bound);
#endif
