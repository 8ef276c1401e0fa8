/* Two measurements of the same kernels: which became slower, and how sure that is. */
#ifndef CHL_BENCH_KERNEL_COMPARE_H
#define CHL_BENCH_KERNEL_COMPARE_H
#include "base/status.h"
#include <stdbool.h>
#include <stdio.h>

/* Interval of the median of n > 0 independent numbers, which are sorted, without an assumption about
 * their distribution: [x_k, x_(n+1-k)] holds the true median except with probability
 * 2 P(Binomial(n, 1/2) < k) [Hettmansperger & McKean, ch. 1]. k is the largest for which that is at
 * most `risk`; where not even k = 1 is, *low = -infinity and *high = infinity. */
void kernel_median_interval(const double *sorted, int n, double risk, double *low, double *high);

typedef struct kernel_change {
    double ratio, low, high; /* new over old, and its interval */
} kernel_change;

/* Both were measured in turns: old_seconds[i] beside new_seconds[i]. */
chl_status kernel_change_paired(const double *old_seconds, const double *new_seconds, int n,
                                double risk, kernel_change *out);
/* Measured one after the other. */
chl_status kernel_change_apart(const double *old_seconds, int old_n, const double *new_seconds,
                               int new_n, double risk, kernel_change *out);
/* "slower", "faster": the whole interval lies beyond `bound` (0.05: 5 %); "undecided": a part of it;
 * "same": nothing of it. */
const char *kernel_verdict(const kernel_change *change, double bound);

/* chladni-bench kernels --compare OLD NEW; an exit code: 1 where a kernel became slower or a file is
 * unusable. */
int kernel_compare_files(const char *old_path, const char *new_path, double bound, bool json);
/* The risk of a wrong verdict among all kernels of a comparison. */
#define COMPARE_RISK 0.01
void kernel_print_change_head(FILE *to, double bound);
void kernel_print_change(FILE *to, const char *key, const kernel_change *change, double bound);
#endif
