/* z codes from seed numbers, the numbers everybody else's seeds give. */
#ifndef CHL_BASE_NUMPY_RANDOM_H
#define CHL_BASE_NUMPY_RANDOM_H
#include <stdint.h>

/* numpy.random.RandomState(seed).randn(count), which stylegan2-ada-pytorch's --seeds uses: the same
 * seed shows the same picture there and here. Only the low 32 bits of seed count, as in numpy. */
void chl_numpy_normals(uint32_t seed, int64_t count, float *z);
#endif
