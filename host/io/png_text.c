#include "io/png_text.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE = 8, HEADER = 8, CHECKSUM = 4 };

typedef struct chunk {
    const uint8_t *type, *data;
    size_t size;
} chunk;

static size_t big_endian(const uint8_t *at) {
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static bool is(const chunk *c, const char *type) {
    return memcmp(c->type, type, 4) == 0;
}

/* Behind `word` and its zero; NULL where the chunk begins otherwise. */
static const uint8_t *behind(const uint8_t *at, const uint8_t *end, const char *word) {
    const size_t length = strlen(word) + 1;
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : NULL;
}

/* Behind the next zero; NULL without one. */
static const uint8_t *behind_zero(const uint8_t *at, const uint8_t *end) {
    const uint8_t *zero = memchr(at, 0, (size_t)(end - at));
    return zero ? zero + 1 : NULL;
}

/* tEXt is Latin-1: each byte from 128 on is two of UTF-8. */
static char *from_latin1(const uint8_t *at, const uint8_t *end) {
    char *text = malloc(2 * (size_t)(end - at) + 1), *to = text;
    for (; text && at < end; at++) {
        if (*at < 128) {
            *to++ = (char)*at;
        } else {
            *to++ = (char)(0xc0 | *at >> 6);
            *to++ = (char)(0x80 | (*at & 63));
        }
    }
    if (text) *to = 0;
    return text;
}

static chl_status take(char *text, const char *name, char **utf8) {
    *utf8 = text;
    return text ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its text", name);
}

static chl_status read_chunk(const chunk *c, const char *name, const char *keyword, char **utf8) {
    const bool international = is(c, "iTXt");
    if (!international && !is(c, "tEXt") && !is(c, "zTXt")) return CHL_OK;
    const uint8_t *end = c->data + c->size, *at = behind(c->data, end, keyword);
    if (!at) return CHL_OK;
    if (is(c, "tEXt")) return take(from_latin1(at, end), name, utf8);
    if (!international || (end > at && *at != 0))
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "%s: its text \"%s\" is compressed, expected tEXt or iTXt as it was written", name,
            keyword);
    if (end - at < 2) return chl_fail(CHL_ERR_FORMAT, "%s: its text breaks off", name);
    at = behind_zero(at + 2, end);     /* language */
    if (at) at = behind_zero(at, end); /* translated keyword */
    if (!at) return chl_fail(CHL_ERR_FORMAT, "%s: its text breaks off", name);
    return take(strndup((const char *)at, (size_t)(end - at)), name, utf8);
}

chl_status chl_png_text(const uint8_t *data, size_t size, const char *name, const char *keyword,
                        char **utf8) {
    static const uint8_t signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    *utf8 = NULL;
    if (size < SIGNATURE || memcmp(data, signature, SIGNATURE) != 0)
        return chl_fail(CHL_ERR_FORMAT, "%s: expected a PNG", name);
    for (size_t at = SIGNATURE; !*utf8 && at < size;) {
        if (size - at < HEADER + CHECKSUM)
            return chl_fail(CHL_ERR_FORMAT, "%s: ends in the middle of a chunk", name);
        const chunk c = {
            .type = data + at + 4, .data = data + at + HEADER, .size = big_endian(data + at)};
        if (c.size > size - at - HEADER - CHECKSUM)
            return chl_fail(CHL_ERR_FORMAT, "%s: ends in the middle of a chunk", name);
        if (is(&c, "IEND")) break;
        CHL_TRY(read_chunk(&c, name, keyword, utf8));
        at += HEADER + c.size + CHECKSUM;
    }
    return CHL_OK;
}
