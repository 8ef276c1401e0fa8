/* A JPEG [ITU-T T.81, annex B] is a row of segments: 0xff, a marker, a big-endian length that
 * counts itself, a body. The first scan (marker 0xda) ends the row: compressed data follows. EXIF
 * is the body of an APP1 segment (0xe1): "Exif\0\0", then a TIFF structure whose first directory
 * has the orientation. */
#include "io/jpeg_markers.h"
#include "io/exif.h"
#include <stdlib.h>
#include <string.h>

/* Reads the segment at *at (marker, body, the body's size) and moves *at behind it. False at the
 * first scan, and where the bytes are not a segment. */
static bool next_segment(const uint8_t *jpeg, size_t size, size_t *at, uint8_t *marker,
                         const uint8_t **body, size_t *body_size) {
    if (*at + 4 > size || jpeg[*at] != 0xff) return false;
    size_t length = (size_t)jpeg[*at + 2] << 8 | jpeg[*at + 3]; /* counts its own two bytes */
    *marker = jpeg[*at + 1];
    if (*marker == 0xda || length < 2 || length > size - *at - 2) return false;
    *body = jpeg + *at + 4;
    *body_size = length - 2;
    *at += 2 + length;
    return true;
}

int chl_jpeg_orientation(const uint8_t *jpeg, size_t size) {
    uint8_t marker;
    const uint8_t *body;
    size_t body_size;
    for (size_t at = 2; next_segment(jpeg, size, &at, &marker, &body, &body_size);)
        if (marker == 0xe1 && body_size >= 6 && memcmp(body, "Exif\0\0", 6) == 0)
            return chl_exif_orientation(body, body_size);
    return 1;
}

/* The search for the end marker starts at the first scan: an EXIF thumbnail before it is a JPEG
 * with an end marker of its own. Compressed data cannot contain one: a 0xff in it is followed by 0.
 */
bool chl_jpeg_is_whole(const uint8_t *jpeg, size_t size) {
    uint8_t marker;
    const uint8_t *body;
    size_t body_size, at = 2;
    while (next_segment(jpeg, size, &at, &marker, &body, &body_size)) continue;
    return at < size && memmem(jpeg + at, size - at, "\xff\xd9", 2) != NULL;
}
