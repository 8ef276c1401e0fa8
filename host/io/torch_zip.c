/* The zip that torch.save (since PyTorch 1.6) and torch.jit.save write: <name>/data.pkl is the
 * pickle, <name>/data/<key> the bytes of a storage, <name>/byteorder (since 2.0) "little" or "big".
 * Code in a TorchScript archive (<name>/code/) is ignored. */
#include "io/torch.h"
#include "io/zip.h"
#include <string.h>

#define MAX_PREFIX 255

typedef struct archive {
    chl_zip zip;
    char prefix[MAX_PREFIX + 1]; /* "<name>/" */
    size_t prefix_size;
} archive;

/* The entry <prefix><folder><name>; NULL when absent. */
static const chl_zip_entry *find(const archive *a, const char *folder, chl_pickle_text name) {
    char path[2 * MAX_PREFIX + 1];
    const size_t folder_size = strlen(folder), size = a->prefix_size + folder_size + name.size;
    if (name.size > MAX_PREFIX || size > sizeof path) return NULL;
    memcpy(path, a->prefix, a->prefix_size);
    memcpy(path + a->prefix_size, folder, folder_size);
    memcpy(path + a->prefix_size + folder_size, name.data, name.size);
    return chl_zip_find(&a->zip, path, size);
}

static const chl_zip_entry *find_named(const archive *a, const char *name) {
    return find(a, "", (chl_pickle_text){(const uint8_t *)name, strlen(name)});
}

static chl_status resolve(void *context, chl_pickle_value *reference, const char *file) {
    const archive *a = context;
    chl_torch_storage storage;
    char shown[CHL_PRINTABLE_LENGTH + 1];
    CHL_TRY(chl_torch_storage_of(reference, file, &storage));
    const chl_zip_entry *entry = find(a, "data/", storage.key);
    const uint8_t *content = NULL;
    if (!entry)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: the entry data/%s is missing: the file is damaged, fetch it again",
                        file, chl_printable(storage.key.data, storage.key.size, shown));
    CHL_TRY(chl_zip_content(&a->zip, entry, &content));
    return chl_torch_storage_set(reference, &storage, content, (size_t)entry->size, file);
}

/* <name> is what the file was called when it was saved, so it is found by its data.pkl. */
static chl_status find_prefix(archive *a) {
    const char pickle[] = "data.pkl";
    const size_t pickle_size = sizeof pickle - 1;
    int found = 0;
    for (int64_t i = 0; i < a->zip.count; i++) {
        const chl_zip_entry *e = &a->zip.entry[i];
        if (e->name_size <= pickle_size || e->name_size - pickle_size > MAX_PREFIX) continue;
        const size_t size = e->name_size - pickle_size;
        if (memchr(e->name, '/', size) != e->name + size - 1 ||
            memcmp(e->name + size, pickle, pickle_size) != 0)
            continue;
        memcpy(a->prefix, e->name, size);
        a->prefix_size = size;
        found++;
    }
    if (found == 1) return CHL_OK;
    return chl_fail(
        CHL_ERR_FORMAT,
        "%s: is a zip archive with %s data.pkl, expected one: not written by torch.save. "
        "If it contains weight files, unpack them first",
        a->zip.file, found ? "more than one" : "no");
}

static chl_status check_byte_order(const archive *a) {
    const chl_zip_entry *entry = find_named(a, "byteorder");
    const uint8_t *content = NULL;
    if (!entry) return CHL_OK; /* written before 2.0, always little-endian */
    CHL_TRY(chl_zip_content(&a->zip, entry, &content));
    if (entry->size == 6 && memcmp(content, "little", 6) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: was saved on a big-endian machine: save it again on a little-endian one",
                    a->zip.file);
}

chl_status chl_torch_zip_parse(const uint8_t *data, size_t size, const char *name,
                               chl_params *into) {
    chl_status status;
    archive a = {0};
    chl_pickle pickle = {0};
    const uint8_t *content = NULL;
    CHL_TRY(chl_zip_open(data, size, name, &a.zip));
    CHL_TRY_GOTO(find_prefix(&a));
    CHL_TRY_GOTO(check_byte_order(&a));
    const chl_zip_entry *entry = find_named(&a, "data.pkl");
    CHL_TRY_GOTO(chl_zip_content(&a.zip, entry, &content));
    CHL_TRY_GOTO(chl_pickle_read(content, (size_t)entry->size, name, &pickle));
    const chl_torch_source source = {.resolve = resolve, .context = &a, .size = size};
    CHL_TRY_GOTO(chl_torch_collect(pickle.root, &source, into));
done:
    chl_pickle_free(&pickle);
    chl_zip_close(&a.zip);
    return status;
}
