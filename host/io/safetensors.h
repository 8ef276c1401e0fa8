/* safetensors files [github.com/huggingface/safetensors]: a JSON header that gives the name,
 * element type, shape and byte range of each array, then the bytes. */
#ifndef CHL_IO_SAFETENSORS_H
#define CHL_IO_SAFETENSORS_H
#include "io/element.h"

/* Adds every array in `data` to `into`, in the order of the data. As strict as the format demands:
 * no holes, no overlaps, no duplicate keys, sizes that agree, a header of at most 100 MB. */
chl_status chl_safetensors_parse(const uint8_t *data, size_t size, const char *name,
                                 chl_params *into);
/* `floats` is the type that float32 arrays are written as: CHL_ELEMENT_F32 (unchanged) or
 * CHL_ELEMENT_F16 (rounded; CHL_ERR_NUMERIC for a finite value beyond 65504). Arrays of other types
 * are unchanged. The file appears complete or not at all. */
chl_status chl_safetensors_write(const chl_params *params, chl_element floats, const char *path);
#endif
