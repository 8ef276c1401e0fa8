/* What libjpeg does not look at: a JPEG's EXIF orientation (cameras store what the sensor saw and
 * note how it was held), and whether the file has an end. */
#ifndef CHL_IO_JPEG_MARKERS_H
#define CHL_IO_JPEG_MARKERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 1 to 8 (EXIF 2.3, tag 0x0112); 1, "as it is", when the file says nothing sensible. */
int chl_exif_orientation(const uint8_t *jpeg, size_t size);
/* False when the end marker is missing. libjpeg makes one up and warns, but not where a progressive
 * file breaks off between two passes. */
bool chl_jpeg_is_whole(const uint8_t *jpeg, size_t size);
#endif
