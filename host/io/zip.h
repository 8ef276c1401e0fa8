/* The part of ZIP that PyTorch writes [PKWARE, APPNOTE.TXT 6.3]: a central directory (zip64
 * included) and entries stored without compression, which are read in place.
 *
 * Guarantees: every offset and size is checked against the file; entry names are unique. Limits: no
 * compression, no encryption, no archives in several parts. Checksums are not verified, because
 * PyTorch has an option to leave them out. */
#ifndef CHL_IO_ZIP_H
#define CHL_IO_ZIP_H
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct chl_zip_entry {
    const uint8_t *name; /* not terminated */
    size_t name_size;
    uint64_t header, size; /* offset of the local header; bytes of content */
    bool stored;           /* neither compressed nor encrypted */
} chl_zip_entry;

typedef struct chl_zip {
    const char *file;
    const uint8_t *data;
    uint64_t directory;   /* offset of the central directory: contents lie before it */
    chl_zip_entry *entry; /* sorted by name */
    int64_t count;
} chl_zip;

/* `data` and `file` must outlive the zip. Two entries of the same name are CHL_ERR_FORMAT. */
chl_status chl_zip_open(const uint8_t *data, size_t size, const char *file, chl_zip *out);
void chl_zip_close(chl_zip *zip);
/* NULL when absent. */
const chl_zip_entry *chl_zip_find(const chl_zip *zip, const char *name, size_t name_size);
/* *content = the entry's bytes, entry->size of them. A compressed or encrypted entry is
 * CHL_ERR_UNSUPPORTED. */
chl_status chl_zip_content(const chl_zip *zip, const chl_zip_entry *entry, const uint8_t **content);
#endif
