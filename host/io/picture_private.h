/* What the readers of the kinds of pictures share; this room only. */
#ifndef CHL_IO_PICTURE_PRIVATE_H
#define CHL_IO_PICTURE_PRIVATE_H
#include "io/picture.h"
#include <stdbool.h>

/* Allocates the raster, once its size is known and allowed; `name` is for error texts. */
chl_status chl_raster_new(const char *name, int64_t height, int64_t width, chl_raster *out);
/* rgba [pixels][4] -> rgb [pixels][3], over white. */
void chl_raster_over_white(const uint8_t *rgba, int64_t pixels, uint8_t *rgb);
/* Turns and mirrors the picture so that an orientation-1 viewer shows it upright (io/exif.h). */
chl_status chl_raster_orient(chl_raster *raster, int orientation);

/* Each recognises its kind by content; reading is CHL_ERR_UNSUPPORTED in a build without the
 * library. */
bool chl_is_webp(const uint8_t *data, size_t size);
chl_status chl_webp_read(const uint8_t *data, size_t size, const char *name, chl_raster *out);
bool chl_is_heif(const uint8_t *data, size_t size);
chl_status chl_heif_read(const uint8_t *data, size_t size, const char *name, chl_raster *out);
#endif
