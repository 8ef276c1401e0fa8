#include "eval/sample_statistics.h"
#include <math.h>

double chl_dot_of(int64_t count, const float *a, const float *b) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

double chl_mean_of(int n, const double *x) {
    double total = 0;
    for (int i = 0; i < n; i++) total += x[i];
    return n > 0 ? total / n : NAN;
}

double chl_deviation_of(int n, const double *x) {
    if (n < 2) return NAN;
    const double mean = chl_mean_of(n, x);
    double total = 0;
    for (int i = 0; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
    return sqrt(total / (n - 1));
}

/* Twice the rank of x[i] from 1, so that the mean rank of a tie is a whole number. Quadratic:
 * reports rank tens of numbers. */
static int twice_rank(int n, const double *x, int i) {
    int below = 0, equal = 0;
    for (int j = 0; j < n; j++) {
        below += x[j] < x[i];
        equal += x[j] == x[i];
    }
    return 2 * below + equal + 1;
}

double chl_spearman(int n, const double *x, const double *y) {
    double xx = 0, yy = 0, xy = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(x[i]) || isnan(y[i])) return NAN;
        /* ranks from the middle: the mean of twice the ranks is n + 1, ties or not */
        const double a = twice_rank(n, x, i) - (n + 1), b = twice_rank(n, y, i) - (n + 1);
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

/* Finite sums for whole degrees of freedom: Abramowitz & Stegun, 26.7.3 and 26.7.4. */
double chl_student_inside(double t, int degrees) {
    const double angle = atan(t / sqrt(degrees)), c = cos(angle);
    double term = degrees % 2 ? c : 1, sum = 0;
    for (int k = degrees % 2 ? 3 : 2; k <= degrees; k += 2) {
        sum += term;
        term *= c * c * (k - 1) / k;
    }
    sum *= sin(angle);
    return degrees % 2 ? 2 / M_PI * (angle + sum) : sum;
}

double chl_student_quantile(double share, int degrees) {
    double low = 0, high = 1;
    while (chl_student_inside(high, degrees) < share) high *= 2;
    for (int i = 0; i < 100; i++) {
        const double middle = (low + high) / 2;
        if (chl_student_inside(middle, degrees) < share)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

double chl_interval_of(int n, const double *x) {
    if (n < 2) return NAN;
    return chl_student_quantile(0.95, n - 1) * chl_deviation_of(n, x) / sqrt(n);
}
