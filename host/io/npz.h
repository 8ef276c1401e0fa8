/* NumPy's .npz: a zip of .npy files. For host/io/weights.c, this room only. */
#ifndef CHL_IO_NPZ_H
#define CHL_IO_NPZ_H
#include "base/params.h"

/* True for a zip whose entries all end in ".npy". */
bool chl_npz_is(const uint8_t *data, size_t size);
/* Adds each entry <key>.npy under its key. What numpy.savez_compressed wrote is
 * CHL_ERR_UNSUPPORTED. */
chl_status chl_npz_parse(const uint8_t *data, size_t size, const char *name, chl_params *into);
#endif
