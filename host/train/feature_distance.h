/* How far two sets of pictures are apart, by what a network says of each picture.
 *
 * FID [Heusel et al. 2017] takes both sets' features as normal distributions:
 *     |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2))
 * It is too large for small sets, by about d^2/n. KID [Binkowski et al. 2018] is the squared distance of the
 * means in the space of the kernel (x y / d + 1)^3, without such an error: the estimate of two sets of one
 * distribution is 0 on average. Precision and recall [Kynkaanniemi et al. 2019, Eq. 1, 2] take a set for the
 * union of balls around its features, each as large as the distance to its k-th neighbour: precision is the
 * share of a's features in b's balls, recall that of b's in a's. All depend on the network: compare only
 * figures of one. */
#ifndef CHL_TRAIN_FEATURE_DISTANCE_H
#define CHL_TRAIN_FEATURE_DISTANCE_H
#include "base/status.h"
#include <stdint.h>

/* a [n][d], b [m][d], n and m >= 2. CHL_ERR_NUMERIC where eigenvalues do not converge. */
chl_status chl_frechet_distance(int64_t n, const float *a, int64_t m, const float *b, int d,
                                double *out);
double chl_kernel_distance(int64_t n, const float *a, int64_t m, const float *b, int d);
/* k in [1, n) and [1, m). CHL_ERR_MEMORY. */
chl_status chl_precision_recall(int64_t n, const float *a, int64_t m, const float *b, int d, int k,
                                double *precision, double *recall);
#endif
