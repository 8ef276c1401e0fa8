/* EXIF's orientation: a camera stores the pixels in the sensor's order and records how it was held.
 * JPEG, PNG and WebP carry the same block of bytes in containers of their own. */
#ifndef CHL_IO_EXIF_H
#define CHL_IO_EXIF_H
#include <stddef.h>
#include <stdint.h>

/* The orientation in an EXIF block, a TIFF structure of either byte order [EXIF 2.3, tag 0x0112],
 * with or without "Exif\0\0" before it: 1 to 8; 1, upright, where there is no valid one. */
int chl_exif_orientation(const uint8_t *block, size_t size);
/* The same for a "Raw profile type exif" text of a PNG, as ImageMagick and Pillow write it: a name,
 * the length, then hexadecimal digits. */
int chl_exif_orientation_in_text(const char *text);
#endif
