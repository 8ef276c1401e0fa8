/* The length of all gradients of a step together, for the log of a run. */
#ifndef CHL_TRAIN_GRADIENT_NORM_H
#define CHL_TRAIN_GRADIENT_NORM_H
#include "graph/build.h"

/* [1]: the sum of the squares of all numbers of the gradients [count]; those that are CHL_NONE are
 * left out, and of none it is CHL_NONE. Each gradient is read once. */
chl_tensor chl_gradient_square(chl_graph *g, int count, const chl_tensor *gradient);
#endif
