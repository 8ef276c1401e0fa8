/* The square root of a covariance.
 *
 *     float root[N * N];
 *     int rank;
 *     CHL_TRY(chl_symmetric_root(N, covariance, root, &rank));
 *     w = mean + root u has that covariance when u has the identity as its covariance */
#ifndef CHL_BASE_SYMMETRIC_ROOT_H
#define CHL_BASE_SYMMETRIC_ROOT_H
#include "base/status.h"

/* A symmetric positive semi-definite matrix [n][n] becomes its eigenvectors: row i is eigenvalue
 * times eigenvector, in no order. CHL_ERR_NUMERIC when they do not converge. */
chl_status chl_symmetric_eigen(int n, double *matrix);

/* root root = matrix, of a symmetric positive semi-definite matrix [n][n]. Eigenvalues below a
 * millionth of the largest count as 0; `rank` is the number of the others. CHL_ERR_NUMERIC when the
 * eigenvalues do not converge. */
chl_status chl_symmetric_root(int n, const double *matrix, float *root, int *rank);
#endif
