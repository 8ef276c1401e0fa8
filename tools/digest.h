/* SHA-256 [FIPS 180-4], which names files by their contents. */
#ifndef CHL_TOOLS_DIGEST_H
#define CHL_TOOLS_DIGEST_H
#include <chladni/data.h>
#include <string.h>

#define DIGEST_ROOM CHL_DIGEST_ROOM

static inline void digest_of_text(const char *text, char digest[DIGEST_ROOM]) {
    if (chl_digest_bytes(text, strlen(text), digest) != CHL_OK) digest[0] = 0; /* never */
}
/* CHL_ERR_IO names the file; pipes are refused, for they could not be read again. */
static inline chl_status digest_of_file(const char *path, char digest[DIGEST_ROOM]) {
    return chl_digest_file(path, digest);
}
#endif
