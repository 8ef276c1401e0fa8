/* Random weights from a seed: for demonstrations, tests, benchmarks, and the start of a training.
 * Each array is drawn from a stream of its own (seed and name), so that adding an array does not
 * change the others. The formula is part of the tests: tests/fixtures/make_stylegan2.py draws the
 * same numbers. */
#ifndef CHL_NETS_RANDOM_WEIGHTS_H
#define CHL_NETS_RANDOM_WEIGHTS_H
#include "base/params.h"
#include "graph/graph.h"

/* Adds a float32 array of independent normals, mean + deviation * n; deviation 0 makes a constant.
 */
chl_status chl_params_add_normal(chl_params *params, uint64_t seed, float mean, float deviation,
                                 chl_desc desc, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
#endif
