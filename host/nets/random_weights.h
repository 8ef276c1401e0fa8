/* Random weights from a seed: for demonstrations, tests, benchmarks, and the start of a
 * training. Each array draws from its own stream (seed and name), so adding one leaves the
 * others as they were. */
#ifndef CHL_NETS_RANDOM_WEIGHTS_H
#define CHL_NETS_RANDOM_WEIGHTS_H
#include "base/params.h"
#include "graph/graph.h"

/* Adds a float32 array of independent normals, mean + deviation * n; deviation 0 = a constant. */
chl_status chl_params_add_normal(chl_params *params, uint64_t seed, float mean, float deviation,
                                 chl_desc desc, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
#endif
