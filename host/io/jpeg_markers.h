/* Two facts about a JPEG that libjpeg does not report: its EXIF orientation (a camera stores the
 * pixels in sensor order and records how it was held), and whether the file is complete. */
#ifndef CHL_IO_JPEG_MARKERS_H
#define CHL_IO_JPEG_MARKERS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 1 to 8 (EXIF 2.3, tag 0x0112); 1, upright, when the file has no valid orientation. */
int chl_jpeg_orientation(const uint8_t *jpeg, size_t size);
/* False when the end marker is missing. libjpeg then inserts one and warns, except where a
 * progressive file breaks off between two passes. */
bool chl_jpeg_is_whole(const uint8_t *jpeg, size_t size);
#endif
