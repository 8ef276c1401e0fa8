/* Statistics of samples, for reports. NAN where a value is not defined (a correlation with a
 * constant, an interval of one number). */
#ifndef CHL_EVAL_SAMPLE_STATISTICS_H
#define CHL_EVAL_SAMPLE_STATISTICS_H
#include <stdint.h>

/* The sum of a[i] b[i]. */
double chl_dot_of(int64_t count, const float *a, const float *b);
double chl_mean_of(int n, const double *x);
/* of a sample: divides by n - 1 */
double chl_deviation_of(int n, const double *x);

/* Spearman's rank correlation: Pearson's of the ranks, ties share the mean of their ranks. NAN for
 * n < 2, for a constant, and where x or y holds a NAN. */
double chl_spearman(int n, const double *x, const double *y);

/* P(|T| < t) of Student's t with `degrees` >= 1 degrees of freedom. */
double chl_student_inside(double t, int degrees);
/* The t with P(|T| < t) = share, 0 < share < 1. */
double chl_student_quantile(double share, int degrees);
/* Half the width of the 95 % confidence interval of the mean: t s / sqrt(n). NAN for n < 2. */
double chl_interval_of(int n, const double *x);
#endif
