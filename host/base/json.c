#include "base/json.h"
#include "base/file_bytes.h"
#include <pthread.h>
#include <stdlib.h>

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

void chl_json_refuse(void) {
    refused++;
}

/* --- reading ---------------------------------------------------------------------------------- */

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

/* --- building and writing --------------------------------------------------------------------- */
void chl_json_set(json_t *object, const char *key, json_t *value) {
    char *utf8 = chl_text_escape(key, 0);
    if (utf8)
        refused += json_object_set_new(object, utf8, value) != 0;
    else {
        json_decref(value);
        refused++;
    }
    free(utf8);
}

void chl_json_append(json_t *array, json_t *value) {
    refused += json_array_append_new(array, value) != 0;
}

json_t *chl_json_string(const char *text) {
    char *utf8 = chl_text_escape(text, 0);
    json_t *value = utf8 ? json_string(utf8) : NULL;
    if (!value) refused++;
    free(utf8);
    return value;
}

chl_status chl_json_put(json_t *object, const char *key, json_t *value) {
    const uint64_t before = refused;
    chl_json_set(object, key, value);
    if (refused == before) return CHL_OK;
    return chl_fail(CHL_ERR_MEMORY, "out of memory for \"%s\"", key);
}

/* json_dumps leaves a key out where memory for its growing text is refused; a text of a fixed size
 * does not grow, and one that is not filled is none. */
char *chl_json_text(const json_t *value, size_t flags, uint64_t since) {
    const size_t size = value && refused == since ? json_dumpb(value, NULL, 0, flags) : 0;
    char *text = size > 0 ? malloc(size + 1) : NULL;
    if (text && json_dumpb(value, text, size, flags) == size && refused == since) {
        text[size] = 0;
        return text;
    }
    free(text);
    return NULL;
}
