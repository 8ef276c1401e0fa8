/* FLAC [RFC 9639]: what a file's last frames say about its length. libFLAC stops at the number of
 * samples that STREAMINFO claims, and has then read some KiB ahead, so that frames behind the claim
 * cannot be told from the end by how far it read. Each frame's header has its place. */
#include "io/sound_bytes.h"
#include <stdlib.h>
#include <string.h>

#define TAIL ((int64_t)64 << 10) /* libFLAC reads 8 KiB ahead; the last frame may be larger */
#define HEADER_MAX 16

typedef struct frame {
    int64_t number; /* of the frame, or of its first sample */
    int samples;
    bool by_sample;
} frame;

/* CRC-8 of the header, x^8 + x^2 + x + 1; 0 behind the stored one. */
static uint8_t crc(const uint8_t *at, int count) {
    unsigned value = 0;
    for (int i = 0; i < count; i++) {
        value ^= at[i];
        for (int bit = 0; bit < 8; bit++) value = value << 1 ^ (value & 0x80 ? 0x107 : 0);
    }
    return (uint8_t)value;
}

/* A number as UTF-8 writes characters, with up to 36 bits; the bytes it has, or 0. */
static int read_number(const uint8_t *at, int64_t *number) {
    int more = 0;
    while (more < 8 && at[0] & 0x80 >> more) more++;
    if (more == 1 || more == 8) return 0;
    *number = more ? at[0] & 0x3f >> (more - 1) : at[0];
    for (int i = 1; i < more; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        *number = *number << 6 | (at[i] & 0x3f);
    }
    return more ? more : 1;
}

/* Whether a frame's header begins at `at`, which has HEADER_MAX bytes. */
static bool read_header(const uint8_t *at, frame *out) {
    if (at[0] != 0xff || (at[1] & 0xfe) != 0xf8) return false;
    const int size_code = at[2] >> 4, rate_code = at[2] & 15;
    if (size_code == 0 || rate_code == 15 || at[3] >> 4 > 10 || at[3] & 1) return false;
    int used = read_number(at + 4, &out->number);
    if (used == 0) return false;
    used += 4;
    out->by_sample = at[1] & 1;
    out->samples = size_code == 1   ? 192
                   : size_code <= 5 ? 576 << (size_code - 2)
                   : size_code == 6 ? at[used] + 1
                   : size_code == 7 ? (at[used] << 8 | at[used + 1]) + 1
                                    : 256 << (size_code - 8);
    used += size_code == 6 ? 1 : size_code == 7 ? 2 : 0;
    used += rate_code == 12 ? 1 : rate_code == 13 || rate_code == 14 ? 2 : 0;
    return crc(at, used + 1) == 0;
}

bool chl_sound_flac_goes_on(chl_sound_bytes *b, int64_t samples) {
    uint8_t info[12];
    if (chl_sound_bytes_read(b, 0, info, 12) != 12 || memcmp(info, "fLaC", 4) != 0) return false;
    const int64_t size = b->size < TAIL ? b->size : TAIL, each = info[10] << 8 | info[11];
    uint8_t *tail = calloc(1, (size_t)size + HEADER_MAX);
    if (!tail) return false;
    bool behind = false;
    const int64_t got = chl_sound_bytes_read(b, b->size - size, tail, size);
    for (int64_t at = 0; at < got && !behind; at++) {
        frame f; /* of 200 tails one has by chance what looks like a header: a look too many */
        behind = read_header(tail + at, &f) &&
                 (f.by_sample ? f.number : f.number * each) + f.samples > samples;
    }
    free(tail);
    return behind;
}
