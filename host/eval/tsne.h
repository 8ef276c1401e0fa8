/* t-SNE [van der Maaten, Hinton 2008], exact: places in the plane whose neighbours are those of the
 * points. Deterministic: it begins where it is told. */
#ifndef CHL_EVAL_TSNE_H
#define CHL_EVAL_TSNE_H
#include "base/status.h"

/* square [n][n]: squared distances of the points. place [2][n]: in, where to begin, in any scale (the
 * principal components); out, the places. perplexity in [1, n - 1): how many neighbours count.
 * *divergence: KL(P || Q), what was minimised. n >= 3. */
chl_status chl_tsne(int n, const double *square, double perplexity, double *place,
                    double *divergence);
#endif
