#include "io/npz.h"
#include "io/element.h"
#include "io/npy.h"
#include "io/zip.h"
#include <string.h>

#define SUFFIX ".npy"
#define SUFFIX_LENGTH (sizeof SUFFIX - 1)

static bool is_array(const chl_zip_entry *entry) {
    return entry->name_size > SUFFIX_LENGTH &&
           memcmp(entry->name + entry->name_size - SUFFIX_LENGTH, SUFFIX, SUFFIX_LENGTH) == 0;
}

bool chl_npz_is(const uint8_t *data, size_t size) {
    chl_zip zip;
    if (chl_zip_open(data, size, "", &zip) != CHL_OK) return false;
    bool arrays = zip.count > 0;
    for (int64_t i = 0; i < zip.count; i++) arrays &= is_array(&zip.entry[i]);
    chl_zip_close(&zip);
    return arrays;
}

static chl_status read_entry(const chl_zip *zip, const chl_zip_entry *entry, chl_params *into) {
    char key[CHL_KEY_LENGTH + 1];
    const uint8_t *content;
    CHL_TRY(chl_key_copy(entry->name, entry->name_size - SUFFIX_LENGTH, zip->file, key));
    if (!entry->stored)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: \"%s\" is compressed: write it with numpy.savez, not savez_compressed",
                        zip->file, key);
    CHL_TRY(chl_zip_content(zip, entry, &content));
    return chl_npy_parse_as(key, content, (size_t)entry->size, zip->file, into);
}

chl_status chl_npz_parse(const uint8_t *data, size_t size, const char *name, chl_params *into) {
    chl_zip zip;
    CHL_TRY(chl_zip_open(data, size, name, &zip));
    chl_status status = CHL_OK;
    for (int64_t i = 0; i < zip.count && status == CHL_OK; i++)
        status = read_entry(&zip, &zip.entry[i], into);
    chl_zip_close(&zip);
    return status;
}
