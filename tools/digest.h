/* SHA-256 [FIPS 180-4], which names files by their contents. */
#ifndef CHL_TOOLS_DIGEST_H
#define CHL_TOOLS_DIGEST_H
#include <chladni/status.h>

#define DIGEST_ROOM 65 /* 64 digits and a zero */
void digest_of_text(const char *text, char digest[DIGEST_ROOM]);
/* CHL_ERR_IO names the file; pipes are refused, for they could not be read again. */
chl_status digest_of_file(const char *path, char digest[DIGEST_ROOM]);
#endif
