#include "base/json.h"
#include "base/file_bytes.h"
#include <pthread.h>

static json_malloc_t their_malloc;
static json_free_t their_free;
static _Thread_local uint64_t refused;

static void *counting_malloc(size_t size) {
    void *memory = their_malloc(size);
    refused += !memory;
    return memory;
}

/* For the whole process, once. Another user of jansson may have set functions of its own, and
 * memory goes back to them. */
static void watch(void) {
    json_get_alloc_funcs(&their_malloc, &their_free);
    json_set_alloc_funcs(counting_malloc, their_free);
}

uint64_t chl_json_refused(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
    return refused;
}

chl_status chl_json_read(const char *text, size_t length, size_t flags, const char *name,
                         json_t **root, json_error_t *problem) {
    const uint64_t before = chl_json_refused();
    *root = json_loadb(text, length, flags, problem);
    if (refused == before) return CHL_OK;
    json_decref(*root);
    *root = NULL;
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its JSON", name);
}

chl_status chl_json_read_file(const char *path, int64_t max_bytes, json_t **root,
                              json_error_t *problem) {
    chl_file_bytes bytes;
    *root = NULL;
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){.max_bytes = max_bytes}, &bytes));
    const chl_status status =
        chl_json_read((const char *)bytes.data, bytes.size, 0, path, root, problem);
    chl_file_bytes_free(&bytes);
    return status;
}
