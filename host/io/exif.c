#include "io/exif.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_BYTE = 1, TYPE_LONG = 4 };

/* Reading outside the structure gives 0. */
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

int chl_exif_orientation(const uint8_t *block, size_t size) {
    const bool named = size >= 6 && memcmp(block, "Exif\0\0", 6) == 0;
    const tiff t = {named ? block + 6 : block, named ? size - 6 : size,
                    size > 6 && block[named ? 6 : 0] == 'M'};
    if (number(&t, 2, 2) != 42) return 1;
    const size_t directory = number(&t, 4, 4);
    const uint32_t entries = number(&t, directory, 2);
    for (uint32_t i = 0; i < entries; i++) {
        const size_t entry = directory + 2 + 12 * (size_t)i;
        if (number(&t, entry, 2) != 0x0112) continue;
        /* a SHORT by the standard; some programs write others */
        const uint32_t type = number(&t, entry + 2, 2);
        const uint32_t value = number(&t, entry + 8,
                                      type == TYPE_BYTE   ? 1
                                      : type == TYPE_LONG ? 4
                                                          : 2);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int chl_exif_orientation_in_text(const char *text) {
    for (int line = 0; line < 3; line++) { /* an empty one, the name, the length */
        text = strchr(text, '\n');
        if (!text) return 1;
        text++;
    }
    const size_t room = strlen(text) / 2;
    uint8_t *block = malloc(room + 1);
    if (!block) return 1;
    size_t size = 0;
    while (size < room) {
        while (isspace((unsigned char)*text)) text++;
        const int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);
        if (low < 0) break;
        block[size++] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    const int orientation = chl_exif_orientation(block, size);
    free(block);
    return orientation;
}
