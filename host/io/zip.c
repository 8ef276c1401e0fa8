/* Reading a zip starts at its end: the end record gives the central directory, the directory gives
 * each entry's local header, and the entry's bytes follow that header. zip64 repeats those fields
 * that overflow 16 or 32 bits (all ones) in a second end record and in an extra field per entry. */
#include "io/zip.h"
#include "io/element.h"
#include <stdlib.h>
#include <string.h>

/* Fixed parts of the records, from PKWARE's APPNOTE 4.3. */
#define LOCAL_BYTES 30
#define CENTRAL_BYTES 46
#define END_BYTES 22
#define END64_BYTES 56
#define LOCATOR64_BYTES 20
#define MAX_COMMENT 65535
#define LOCAL_SIGNATURE 0x04034B50u
#define CENTRAL_SIGNATURE 0x02014B50u
#define END_SIGNATURE 0x06054B50u
#define END64_SIGNATURE 0x06064B50u
#define LOCATOR64_SIGNATURE 0x07064B50u
#define ZIP64_FIELD 1
#define ENCRYPTED 1

static chl_status damaged(const char *file, const char *what) {
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: %s: the zip archive is cut short or damaged, fetch it again", file, what);
}

static int compare_names(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int by_name(const void *left, const void *right) {
    const chl_zip_entry *a = left, *b = right;
    return compare_names(a->name, a->name_size, b->name, b->name_size);
}

/* The end record is the last record of the file; only a comment follows, whose length it states. */
static const uint8_t *find_end(const uint8_t *data, size_t size) {
    if (size < END_BYTES) return NULL;
    const size_t last = size - END_BYTES, first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
    for (size_t at = last + 1; at-- > first;)
        if (chl_little(data + at, 4) == END_SIGNATURE && chl_little(data + at + 20, 2) == last - at)
            return data + at;
    return NULL;
}

static chl_status find_directory(const uint8_t *data, size_t size, const char *file,
                                 uint64_t *start, uint64_t *bytes, uint64_t *count) {
    const uint8_t *end = find_end(data, size);
    if (!end) return damaged(file, "it has no end record");
    *count = chl_little(end + 10, 2);
    *bytes = chl_little(end + 12, 4);
    *start = chl_little(end + 16, 4);
    uint64_t limit = (uint64_t)(end - data);
    if (*count == 0xFFFF || *bytes == 0xFFFFFFFF || *start == 0xFFFFFFFF) {
        const uint8_t *locator = end - LOCATOR64_BYTES;
        if (limit < LOCATOR64_BYTES + END64_BYTES || chl_little(locator, 4) != LOCATOR64_SIGNATURE)
            return damaged(file, "its zip64 locator is missing");
        uint64_t at = chl_little(locator + 8, 8);
        if (at > limit - LOCATOR64_BYTES - END64_BYTES ||
            chl_little(data + at, 4) != END64_SIGNATURE)
            return damaged(file, "its zip64 end record is missing");
        *count = chl_little(data + at + 32, 8);
        *bytes = chl_little(data + at + 40, 8);
        *start = chl_little(data + at + 48, 8);
        limit = at;
    }
    if (*start > limit || *bytes > limit - *start || *count > *bytes / CENTRAL_BYTES)
        return damaged(file, "its directory lies outside the file");
    return CHL_OK;
}

/* Replaces each value that is all ones by its 64-bit value in the zip64 extra field. */
static bool read_zip64(const uint8_t *extra, size_t left, uint64_t *size, uint64_t *packed,
                       uint64_t *header) {
    const bool wanted = *size == 0xFFFFFFFF || *packed == 0xFFFFFFFF || *header == 0xFFFFFFFF;
    while (wanted && left >= 4) {
        const size_t length = (size_t)chl_little(extra + 2, 2);
        if (length > left - 4) return false;
        if (chl_little(extra, 2) == ZIP64_FIELD) {
            uint64_t *const field[] = {size, packed, header};
            size_t at = 0;
            for (int i = 0; i < 3; i++) {
                if (*field[i] != 0xFFFFFFFF) continue;
                if (at + 8 > length) return false;
                *field[i] = chl_little(extra + 4 + at, 8);
                at += 8;
            }
            return true;
        }
        extra += 4 + length;
        left -= 4 + length;
    }
    return !wanted;
}

static chl_status read_entries(chl_zip *zip, uint64_t bytes, uint64_t count) {
    const uint8_t *at = zip->data + zip->directory;
    uint64_t left = bytes;
    for (uint64_t i = 0; i < count; i++) {
        if (left < CENTRAL_BYTES || chl_little(at, 4) != CENTRAL_SIGNATURE)
            return damaged(zip->file, "its directory ends too early");
        const size_t name = (size_t)chl_little(at + 28, 2), extra = (size_t)chl_little(at + 30, 2);
        const size_t whole = CENTRAL_BYTES + name + extra + (size_t)chl_little(at + 32, 2);
        if (whole > left) return damaged(zip->file, "its directory ends too early");
        uint64_t packed = chl_little(at + 20, 4);
        chl_zip_entry entry = {.name = at + CENTRAL_BYTES,
                               .name_size = name,
                               .size = chl_little(at + 24, 4),
                               .header = chl_little(at + 42, 4)};
        if (!read_zip64(at + CENTRAL_BYTES + name, extra, &entry.size, &packed, &entry.header))
            return damaged(zip->file, "a zip64 field is missing");
        entry.stored = chl_little(at + 10, 2) == 0 && !(at[8] & ENCRYPTED) && packed == entry.size;
        zip->entry[zip->count++] = entry;
        at += whole;
        left -= whole;
    }
    qsort(zip->entry, (size_t)zip->count, sizeof *zip->entry, by_name);
    for (int64_t i = 1; i < zip->count; i++)
        if (by_name(&zip->entry[i - 1], &zip->entry[i]) == 0)
            return damaged(zip->file, "it has two entries of the same name");
    return CHL_OK;
}

chl_status chl_zip_open(const uint8_t *data, size_t size, const char *file, chl_zip *out) {
    uint64_t bytes = 0, count = 0;
    *out = (chl_zip){.file = file, .data = data};
    CHL_TRY(find_directory(data, size, file, &out->directory, &bytes, &count));
    out->entry = malloc((size_t)(count + 1) * sizeof *out->entry);
    if (!out->entry) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its directory", file);
    chl_status status = read_entries(out, bytes, count);
    if (status != CHL_OK) chl_zip_close(out);
    return status;
}

void chl_zip_close(chl_zip *zip) {
    free(zip->entry);
    *zip = (chl_zip){0};
}

const chl_zip_entry *chl_zip_find(const chl_zip *zip, const char *name, size_t name_size) {
    const chl_zip_entry wanted = {.name = (const uint8_t *)name, .name_size = name_size};
    return bsearch(&wanted, zip->entry, (size_t)zip->count, sizeof wanted, by_name);
}

chl_status chl_zip_content(const chl_zip *zip, const chl_zip_entry *entry,
                           const uint8_t **content) {
    if (!entry->stored) {
        char shown[CHL_PRINTABLE_LENGTH + 1];
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: entry \"%s\" is compressed or encrypted: save the file again with "
                        "torch.save, which does neither",
                        zip->file, chl_printable(entry->name, entry->name_size, shown));
    }
    if (entry->header > zip->directory || zip->directory - entry->header < LOCAL_BYTES)
        return damaged(zip->file, "an entry lies outside the file");
    const uint8_t *header = zip->data + entry->header;
    if (chl_little(header, 4) != LOCAL_SIGNATURE)
        return damaged(zip->file, "an entry has no header");
    const uint64_t start =
        entry->header + LOCAL_BYTES + chl_little(header + 26, 2) + chl_little(header + 28, 2);
    if (start > zip->directory || entry->size > zip->directory - start)
        return damaged(zip->file, "an entry lies outside the file");
    *content = zip->data + start;
    return CHL_OK;
}
