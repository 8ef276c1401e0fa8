/* numpy's legacy normal numbers, so that a seed number gives the same z code here as in every
 * program built on stylegan2-ada-pytorch. For all other random numbers: base/random.h. */
#ifndef CHL_BASE_NUMPY_RANDOM_H
#define CHL_BASE_NUMPY_RANDOM_H
#include <stdint.h>

/* z [count] = numpy.random.RandomState(seed).randn(count), rounded to float32. */
void chl_numpy_normals(uint32_t seed, int64_t count, float *z);
#endif
