/* Texts that a PNG carries beside its pixels: uncompressed tEXt and iTXt chunks [PNG 11.3.4]. */
#ifndef CHL_IO_PNG_TEXT_H
#define CHL_IO_PNG_TEXT_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

/* The first text of that keyword as UTF-8, to be freed; *utf8 is NULL where there is none.
 * CHL_ERR_FORMAT for what is no PNG or ends in a chunk; CHL_ERR_UNSUPPORTED for a compressed text
 * of that keyword. `name` is for error texts. Checksums are not looked at. */
chl_status chl_png_text(const uint8_t *data, size_t size, const char *name, const char *keyword,
                        char **utf8);
#endif
