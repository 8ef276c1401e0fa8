/* The public header's digests and cache: covers over host/base and host/io. */
#include "base/options.h"
#include "io/number_cache.h"
#include <chladni/data.h>
#include <stdio.h>
#include <string.h>

chl_status chl_digest_file(const char *path, char *digest) {
    CHL_NEEDS(path, digest);
    uint8_t bytes[CHL_SHA256_BYTES];
    CHL_TRY(chl_sha256_of_file(path, bytes));
    chl_sha256_text(bytes, digest);
    return CHL_OK;
}

chl_status chl_digest_bytes(const void *data, size_t size, char *digest) {
    CHL_NEEDS(data, digest);
    uint8_t bytes[CHL_SHA256_BYTES];
    chl_sha256 hash;
    chl_sha256_begin(&hash);
    chl_sha256_add(&hash, data, size);
    chl_sha256_end(&hash, bytes);
    chl_sha256_text(bytes, digest);
    return CHL_OK;
}

static chl_status read_digest(const char *digest, uint8_t key[CHL_SHA256_BYTES]) {
    bool whole = strlen(digest) == 2 * CHL_SHA256_BYTES;
    for (int i = 0; whole && i < CHL_SHA256_BYTES; i++) {
        unsigned value;
        int end = 0;
        whole = sscanf(digest + 2 * i, "%2x%n", &value, &end) == 1 && end == 2;
        key[i] = (uint8_t)value;
    }
    if (whole) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "digest must be 64 hexadecimal digits, got \"%.80s\"",
                    digest);
}

chl_status chl_cache_open(const char *folder, chl_number_cache **out) {
    CHL_NEEDS(folder, out);
    return chl_number_cache_open(folder, out);
}

void chl_cache_close(chl_number_cache *kept) {
    chl_number_cache_close(kept);
}

chl_status chl_cache_find(chl_number_cache *kept, const char *digest, int64_t count, float *numbers,
                          int *found) {
    uint8_t key[CHL_SHA256_BYTES];
    CHL_NEEDS(kept, digest, numbers, found);
    CHL_TRY(read_digest(digest, key));
    *found = chl_number_cache_find(kept, key, count, numbers);
    return CHL_OK;
}

chl_status chl_cache_add(chl_number_cache *kept, const char *digest, int64_t count,
                         const float *numbers) {
    uint8_t key[CHL_SHA256_BYTES];
    CHL_NEEDS(kept, digest, numbers);
    CHL_TRY(read_digest(digest, key));
    return chl_number_cache_add(kept, key, count, numbers);
}
