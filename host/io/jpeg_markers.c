/* A JPEG [ITU-T T.81, annex B] is a row of segments: 0xff, a marker, a big-endian length that
 * counts itself, a body. The first scan (marker 0xda) ends the row: compressed data follows. EXIF
 * is the body of an APP1 segment (0xe1): "Exif\0\0", then a TIFF structure whose first directory
 * has the orientation. */
#include "io/jpeg_markers.h"
#include <stdlib.h>
#include <string.h>

/* A TIFF structure, of either byte order. Reading outside it gives 0. */
typedef struct tiff {
    const uint8_t *data;
    size_t size;
    bool big;
} tiff;

static uint32_t number(const tiff *t, size_t at, size_t bytes) {
    if (at > t->size || t->size - at < bytes) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint32_t)t->data[at + i] << 8 * (t->big ? bytes - 1 - i : i);
    return value;
}

static int orientation_in(const uint8_t *data, size_t size) {
    tiff t = {data, size, size > 0 && data[0] == 'M'};
    if (number(&t, 2, 2) != 42) return 1;
    size_t directory = number(&t, 4, 4);
    uint32_t entries = number(&t, directory, 2);
    for (uint32_t i = 0; i < entries; i++) {
        size_t entry = directory + 2 + 12 * (size_t)i;
        if (number(&t, entry, 2) != 0x0112) continue;
        uint32_t value = number(&t, entry + 8, 2);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

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

int chl_exif_orientation(const uint8_t *jpeg, size_t size) {
    uint8_t marker;
    const uint8_t *body;
    size_t body_size;
    for (size_t at = 2; next_segment(jpeg, size, &at, &marker, &body, &body_size);)
        if (marker == 0xe1 && body_size >= 6 && memcmp(body, "Exif\0\0", 6) == 0)
            return orientation_in(body + 6, body_size - 6);
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
