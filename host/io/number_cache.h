/* Numbers that were computed once, kept in a folder under the SHA-256 of what they are made from.
 *
 *     chl_number_cache *kept;
 *     CHL_TRY(chl_number_cache_open("cache", &kept));
 *     if (!chl_number_cache_find(kept, key, 512, row)) { compute(row); CHL_TRY(chl_number_cache_add(kept, key, 512, row)); }
 *     chl_number_cache_close(kept);
 *
 * Each process appends to a file of its own, NAME.kept, and reads all of them, so that any number of
 * processes on any machines share the folder without locks; it may be deleted at any time. A file is
 * records without a header, in the machine's byte order:
 *
 *     4 bytes    "kept"
 *     4          how many numbers
 *     32         the key
 *     4 each     the numbers, float32
 *     8          a digest of key and numbers
 *
 * What a kill cut short or a disk damaged is not found, and made again. */
#ifndef CHL_IO_NUMBER_CACHE_H
#define CHL_IO_NUMBER_CACHE_H
#include "base/sha256.h"
#include <stdbool.h>

typedef struct chl_number_cache chl_number_cache;

/* Makes the folder if it is not there. Reads where numbers lie, not the numbers. */
chl_status chl_number_cache_open(const char *folder, chl_number_cache **out);
void chl_number_cache_close(chl_number_cache *kept); /* NULL is fine */
/* Reads them; what other processes have added is looked for, once a second at most. Not thread safe. */
bool chl_number_cache_find(chl_number_cache *kept, const uint8_t key[CHL_SHA256_BYTES],
                           int64_t count, float *numbers);
/* CHL_ERR_IO names the file. */
chl_status chl_number_cache_add(chl_number_cache *kept, const uint8_t key[CHL_SHA256_BYTES],
                                int64_t count, const float *numbers);
#endif
