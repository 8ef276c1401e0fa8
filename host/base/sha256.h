/* SHA-256 [FIPS 180-4], which names files by their contents.
 *
 *     chl_sha256 hash;
 *     uint8_t digest[CHL_SHA256_BYTES];
 *     chl_sha256_begin(&hash);
 *     chl_sha256_add(&hash, data, size);
 *     chl_sha256_end(&hash, digest); */
#ifndef CHL_BASE_SHA256_H
#define CHL_BASE_SHA256_H
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define CHL_SHA256_BYTES 32
#define CHL_SHA256_ROOM 65 /* 64 digits and a zero */

typedef struct chl_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} chl_sha256;

void chl_sha256_begin(chl_sha256 *hash);
void chl_sha256_add(chl_sha256 *hash, const void *bytes, size_t size);
void chl_sha256_end(chl_sha256 *hash, uint8_t digest[CHL_SHA256_BYTES]);
void chl_sha256_text(const uint8_t digest[CHL_SHA256_BYTES], char text[CHL_SHA256_ROOM]);
/* CHL_ERR_IO names the file; pipes are refused, for they could not be read again. */
chl_status chl_sha256_of_file(const char *path, uint8_t digest[CHL_SHA256_BYTES]);
#endif
