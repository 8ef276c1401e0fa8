/* How many bytes of sound a container claims to hold. Decoders take what is there for all: where a
 * download broke off, only this number tells. */
#include "io/sound_bytes.h"
#include <string.h>

/* A file of chunks: each has a name, a size, its content, and padding. */
typedef struct container {
    const char *magic, *form; /* the first bytes, and those at 8, where there are any */
    const char *data;         /* name of the chunk of sound */
    int first;                /* place of the first chunk */
    int name, size;           /* bytes of a chunk's name and of its size */
    int padding;              /* a chunk begins at a multiple of this */
    int skipped;              /* bytes before the sound in the chunk of sound */
    bool big, whole;          /* byte order; the size counts name and size too */
} container;

#define W64_RIFF "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00"

static const container containers[] = {
    {"RIFF", "WAVE", "data", 12, 4, 4, 2, 0, false, false},
    {"RF64", "WAVE", "data", 12, 4, 4, 2, 0, false, false},
    {"BW64", "WAVE", "data", 12, 4, 4, 2, 0, false, false},
    {"RIFX", "WAVE", "data", 12, 4, 4, 2, 0, true, false},
    {"FORM", "AIFF", "SSND", 12, 4, 4, 2, 8, true, false},
    {"FORM", "AIFC", "SSND", 12, 4, 4, 2, 8, true, false},
    {"FORM", "8SVX", "BODY", 12, 4, 4, 2, 0, true, false},
    {"FORM", "16SV", "BODY", 12, 4, 4, 2, 0, true, false},
    {"caff", NULL, "data", 8, 4, 8, 1, 4, true, false},
    {W64_RIFF, NULL, "data", 40, 16, 8, 8, 0, false, true}, /* the other 12 bytes are alike */
};

static bool begins(const uint8_t *head, const container *c) {
    return memcmp(head, c->magic, strlen(c->magic)) == 0 &&
           (!c->form || memcmp(head + 8, c->form, 4) == 0);
}

/* Walks to the chunk of sound. `wide` is the 64-bit size that RF64 keeps in a chunk of its own. */
static bool find_in_chunks(chl_sound_bytes *b, const container *c, int64_t *from, int64_t *size,
                           int *width) {
    const int head_size = c->name + c->size;
    int64_t wide = -1;
    for (int64_t at = c->first; at <= b->size - head_size;) {
        uint8_t head[24], sizes[16];
        if (chl_sound_bytes_read(b, at, head, head_size) != head_size) return false;
        if (!chl_sound_is_chunk_name(head)) return false;
        int64_t content = (int64_t)chl_sound_number(head + c->name, c->size, c->big);
        if (c->whole && content > 0) content -= head_size;
        if (memcmp(head, "ds64", 4) == 0 && chl_sound_bytes_read(b, at + 8, sizes, 16) == 16)
            wide = (int64_t)chl_sound_number(sizes + 8, 8, false);
        if (memcmp(head, c->data, 4) == 0) {
            *width = c->size;
            if (content == UINT32_MAX && wide >= 0) {
                content = wide;
                *width = 8;
            }
            *from = at + head_size + c->skipped;
            *size = content < c->skipped ? 0 : content - c->skipped;
            return true;
        }
        if (content < 0 || content > b->size - at - head_size) return false;
        at += head_size + content;
        at += (c->padding - at % c->padding) % c->padding;
    }
    return false;
}

/* Sun's .snd has one header and no chunks: magic, place of the sound, size. */
static bool find_in_au(chl_sound_bytes *b, const uint8_t *head, int64_t *from, int64_t *size) {
    const bool big = memcmp(head, ".snd", 4) == 0;
    if (!big && memcmp(head, "dns.", 4) != 0) return false;
    *from = (int64_t)chl_sound_number(head + 4, 4, big);
    *size = (int64_t)chl_sound_number(head + 8, 4, big);
    return *from <= b->size;
}

/* *width: bytes that the size is stored in. */
static bool find(chl_sound_bytes *b, int64_t *from, int64_t *size, int *width) {
    uint8_t head[16];
    *width = 4;
    if (chl_sound_bytes_read(b, 0, head, sizeof head) != sizeof head) return false;
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
        if (begins(head, &containers[i]))
            return find_in_chunks(b, &containers[i], from, size, width);
    return find_in_au(b, head, from, size);
}

/* Programs that write to a pipe leave a size of their own near 2 GiB (SoX: 0x7ffff000, in whole
 * blocks of samples) or more in 32 bits, or nothing that is a size in 64. */
bool chl_sound_is_cut(chl_sound_bytes *b, int64_t *claimed, int64_t *there) {
    int64_t from;
    int width;
    if (!find(b, &from, claimed, &width) || *claimed <= 0) return false;
    if (*claimed >= (width == 4 ? (int64_t)0x7fff0000 : INT64_MAX - 64)) return false;
    *there = b->size > from ? b->size - from : 0;
    return *there < *claimed;
}
