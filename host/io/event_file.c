#include "io/event_file.h"
#include <string.h>

/* key (2 bytes at most), length, tag, key, float */
#define VALUE_ROOM (CHL_EVENT_TAG + 16)
#define EVENT_ROOM (CHL_EVENT_SCALARS * VALUE_ROOM + 64)

typedef struct buffer {
    unsigned char byte[EVENT_ROOM];
    size_t size;
} buffer;

/* --- checksums -------------------------------------------------------------------------------- */
/* Half a byte at a time: entry i is i shifted out through the polynomial 0x82f63b78 (reflected). */
uint32_t chl_crc32c(const void *data, size_t size) {
    static const uint32_t table[16] = {0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u,
                                       0x417b1dbcu, 0x5125dad3u, 0x61c69362u, 0x7198540du,
                                       0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u,
                                       0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u};
    const unsigned char *byte = data;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= byte[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* A checksum of bytes that hold checksums would be weak: TFRecords store it rotated and shifted. */
static uint32_t masked(uint32_t crc) {
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* --- protocol buffers ------------------------------------------------------------------------- */
static void put_bytes(buffer *b, const void *bytes, size_t size) {
    memcpy(b->byte + b->size, bytes, size);
    b->size += size;
}

/* The lowest `bytes` bytes of x, little-endian. */
static void put_fixed(buffer *b, uint64_t x, int bytes) {
    for (int i = 0; i < bytes; i++) b->byte[b->size++] = (unsigned char)(x >> (8 * i));
}

static void put_varint(buffer *b, uint64_t x) {
    for (; x >= 0x80; x >>= 7) b->byte[b->size++] = (unsigned char)(x | 0x80);
    b->byte[b->size++] = (unsigned char)x;
}

enum { VARINT = 0, EIGHT_BYTES = 1, LENGTH = 2, FOUR_BYTES = 5 };
static void put_key(buffer *b, int field, int type) {
    put_varint(b, (uint64_t)(field << 3 | type));
}

static void put_text(buffer *b, int field, const char *text) {
    put_key(b, field, LENGTH);
    put_varint(b, strlen(text));
    put_bytes(b, text, strlen(text));
}

static void put_float(buffer *b, int field, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(b, field, FOUR_BYTES);
    put_fixed(b, bits, 4);
}

static void put_time(buffer *b, double time) {
    uint64_t bits;
    memcpy(&bits, &time, sizeof bits);
    put_key(b, 1, EIGHT_BYTES);
    put_fixed(b, bits, 8);
}

/* --- records ---------------------------------------------------------------------------------- */
static void write_record(FILE *to, const buffer *event) {
    buffer frame = {.size = 0};
    put_fixed(&frame, event->size, 8);
    put_fixed(&frame, masked(chl_crc32c(frame.byte, 8)), 4);
    fwrite(frame.byte, 1, frame.size, to);
    fwrite(event->byte, 1, event->size, to);
    frame.size = 0;
    put_fixed(&frame, masked(chl_crc32c(event->byte, event->size)), 4);
    fwrite(frame.byte, 1, frame.size, to);
}

void chl_event_file_begin(FILE *to, double time) {
    buffer event = {.size = 0};
    put_time(&event, time);
    put_text(&event, 3, "brain.Event:2");
    write_record(to, &event);
}

chl_status chl_event_file_add(FILE *to, double time, int64_t step, int count,
                              const chl_event_scalar *scalar) {
    buffer event = {.size = 0}, summary = {.size = 0};
    if (count < 0 || count > CHL_EVENT_SCALARS)
        return chl_fail(CHL_ERR_ARGUMENT, "an event must have at most %d scalars, got %d",
                        CHL_EVENT_SCALARS, count);
    for (int i = 0; i < count; i++) {
        buffer value = {.size = 0};
        if (strlen(scalar[i].tag) > CHL_EVENT_TAG)
            return chl_fail(CHL_ERR_ARGUMENT, "a tag must have at most %d bytes, got \"%s\"",
                            CHL_EVENT_TAG, scalar[i].tag);
        put_text(&value, 1, scalar[i].tag);
        put_float(&value, 2, (float)scalar[i].value);
        put_key(&summary, 1, LENGTH);
        put_varint(&summary, value.size);
        put_bytes(&summary, value.byte, value.size);
    }
    put_time(&event, time);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)step);
    put_key(&event, 5, LENGTH);
    put_varint(&event, summary.size);
    put_bytes(&event, summary.byte, summary.size);
    write_record(to, &event);
    return CHL_OK;
}
