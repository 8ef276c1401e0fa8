/* safetensors: a JSON header with a name, a number format, a shape and a byte range per array, then
 * the bytes. */
#ifndef CHL_IO_SAFETENSORS_H
#define CHL_IO_SAFETENSORS_H
#include "io/element.h"

/* Adds every array in `data` to `into`, in the order of the data. Strict, as the format asks: no
 * holes, no overlaps, no duplicate keys, sizes that agree, a header of at most 100 MB. */
chl_status chl_safetensors_parse(const uint8_t *data, size_t size, const char *name,
                                 chl_params *into);
/* `floats`: what arrays of float32 become, CHL_ELEMENT_F32 (as they are) or CHL_ELEMENT_F16
 * (rounded; CHL_ERR_NUMERIC for a finite value beyond 65504). */
chl_status chl_safetensors_write(const chl_params *params, chl_element floats, const char *path);
#endif
