/* Weights and pictures that a C test and a Python script both compute, so that a network of full
 * size can be compared with another framework without committing its weights.
 *
 * Element i of the array called `name` is centre + amplitude * (2 u - 1), with u the top 24 bits
 * of SplitMix64's output number i + 1 [Steele et al. 2014] when seeded with the FNV-1a hash of
 * the name. tests/fixtures/formula.py is the twin. */
#ifndef CHL_TEST_FORMULA_H
#define CHL_TEST_FORMULA_H
#include "base/params.h"

void formula_fill(const char *name, double centre, double amplitude, int64_t count, float *out);

/* The same with centre and amplitude chosen from the name and shape, so that activations keep
 * their size from layer to layer: unit gain for matrices (fan-in = all dims but the first),
 * scales near 1, biases near 0, running variances in [0.7, 1.3], logit scales ln(1/0.07). */
void formula_weight(const char *name, const chl_desc *desc, float *out);

/* Adds such an array to `params`. */
chl_status formula_add(chl_params *params, const char *name, chl_desc desc);
#endif
