/* Files built byte by byte, for tests of readers. */
#ifndef CHL_TEST_BYTES_H
#define CHL_TEST_BYTES_H
#include <stdio.h>
#include <string.h>
/* cmocka.h needs the others before it */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

typedef struct bytes {
    uint8_t data[1 << 20];
    size_t size;
} bytes;

static inline void put(bytes *b, const void *data, size_t size) {
    assert_true(b->size + size <= sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}
static inline void put_text(bytes *b, const char *text) {
    put(b, text, strlen(text));
}
static inline void put_le(bytes *b, uint32_t value, int count) {
    for (int i = 0; i < count; i++) put(b, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}
static inline void put_be(bytes *b, uint32_t value, int count) {
    for (int i = count - 1; i >= 0; i--) put(b, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}
/* The chunk that says what a WAV holds: 16-bit PCM, one channel, 44100 Hz. */
static inline void put_wav_format(bytes *b) {
    put_text(b, "fmt ");
    put_le(b, 16, 4);
    put_le(b, 1, 2);
    put_le(b, 1, 2);
    put_le(b, 44100, 4);
    put_le(b, 88200, 4);
    put_le(b, 2, 2);
    put_le(b, 16, 2);
}

/* tests/fixtures/<name> */
static inline void load_bytes(bytes *b, const char *name) {
    char path[512];
    snprintf(path, sizeof path, CHLADNI_FIXTURES "/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    b->size = fread(b->data, 1, sizeof b->data, file);
    fclose(file);
}
#endif
