#include "base/sha256.h"
#include "base/file_bytes.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 64, ROUNDS = 64 };
typedef chl_sha256 sha256;

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

/* The eight words turn by one place each round; instead, eight rounds name them in turn. `in` is
 * the round's constant and word. Of d and h the new values are left. */
static inline void do_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f,
                            uint32_t g, uint32_t *h, uint32_t in) {
    const uint32_t t =
        *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + in;
    *d += t;
    *h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
}

static void take_block(uint32_t state[8], const uint8_t *block) {
    uint32_t w[ROUNDS];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < ROUNDS; i++) {
        const uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    uint32_t in[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) in[i] = constants[i] + w[i];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < ROUNDS; i += 8) {
        do_round(a, b, c, &d, e, f, g, &h, in[i]);
        do_round(h, a, b, &c, d, e, f, &g, in[i + 1]);
        do_round(g, h, a, &b, c, d, e, &f, in[i + 2]);
        do_round(f, g, h, &a, b, c, d, &e, in[i + 3]);
        do_round(e, f, g, &h, a, b, c, &d, in[i + 4]);
        do_round(d, e, f, &g, h, a, b, &c, in[i + 5]);
        do_round(c, d, e, &f, g, h, a, &b, in[i + 6]);
        do_round(b, c, d, &e, f, g, h, &a, in[i + 7]);
    }
    const uint32_t last[] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) state[i] += last[i];
}

void chl_sha256_begin(chl_sha256 *h) {
    *h = (sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                            0x1f83d9ab, 0x5be0cd19}};
}

void chl_sha256_add(chl_sha256 *h, const void *bytes, size_t size) {
    const uint8_t *data = bytes;
    for (; size >= BLOCK && h->bytes % BLOCK == 0; data += BLOCK, size -= BLOCK, h->bytes += BLOCK)
        take_block(h->state, data);
    while (size > 0) {
        const size_t at = h->bytes % BLOCK, part = size < BLOCK - at ? size : BLOCK - at;
        memcpy(h->block + at, data, part);
        h->bytes += part;
        data += part;
        size -= part;
        if (h->bytes % BLOCK == 0) take_block(h->state, h->block);
    }
}

void chl_sha256_end(chl_sha256 *h, uint8_t digest[CHL_SHA256_BYTES]) {
    const uint64_t bits = 8 * h->bytes;
    uint8_t length[8];
    chl_sha256_add(h, (const uint8_t[]){0x80}, 1);
    while (h->bytes % BLOCK != BLOCK - 8) chl_sha256_add(h, (const uint8_t[]){0}, 1);
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    chl_sha256_add(h, length, sizeof length);
    for (int i = 0; i < CHL_SHA256_BYTES; i++)
        digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void chl_sha256_text(const uint8_t digest[CHL_SHA256_BYTES], char text[CHL_SHA256_ROOM]) {
    for (int i = 0; i < CHL_SHA256_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

chl_status chl_sha256_of_file(const char *path, uint8_t digest[CHL_SHA256_BYTES]) {
    enum { PART = 1 << 16 };
    static _Thread_local uint8_t part[PART];
    chl_sha256 h;
    chl_open_file file;
    CHL_TRY(chl_file_open(path, false, &file));
    chl_sha256_begin(&h);
    chl_status status = CHL_OK;
    for (ssize_t count = 1; status == CHL_OK && count != 0;) {
        count = read(file.descriptor, part, sizeof part);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            status = chl_fail(CHL_ERR_IO, "%s: cannot be read (%s)", path, strerror(errno));
        else
            chl_sha256_add(&h, part, (size_t)count);
    }
    close(file.descriptor);
    chl_sha256_end(&h, digest);
    return status;
}
