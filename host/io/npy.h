/* NumPy's .npy files: one array each. Format versions 1 and 2 are read, 1 is written. */
#ifndef CHL_IO_NPY_H
#define CHL_IO_NPY_H
#include "base/params.h"

/* The name given to an array that has none in its file. */
#define CHL_UNNAMED_ARRAY "array"

/* Adds the array in `data` to `into` under CHL_UNNAMED_ARRAY. Little-endian f2, f4, f8 (to
 * float32), b1, u1, i1, i2, i4, i8 (to int32); C or Fortran order, row-major afterwards. */
chl_status chl_npy_parse(const uint8_t *data, size_t size, const char *name, chl_params *into);
/* The same under another key than CHL_UNNAMED_ARRAY. */
chl_status chl_npy_parse_as(const char *key, const uint8_t *data, size_t size, const char *name,
                            chl_params *into);

/* Reads a file. `*data` holds chl_bytes(desc) bytes, 64-byte aligned; release it with free(). */
chl_status chl_npy_read(const char *path, chl_desc *desc, void **data);

/* Writes format 1, C order: CHL_F32 as <f4, CHL_I32 as <i4, CHL_U8 as |u1. CHL_ERR_SHAPE for a
 * negative size or one that overflows. The file appears complete or not at all. */
chl_status chl_npy_write(const char *path, const chl_desc *desc, const void *data);
#endif
