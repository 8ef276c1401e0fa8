/* DIR/index.html: the page batch_page.html with what results.jsonl says, texts of sources and
 * targets once each, so that ten thousand results are about a megabyte.
 *
 *   {"folder": "out", "version": "0.2.0",
 *    "sources": [[name, before], ...]           before, listen, mel: addresses or null
 *    "targets": [[name, level, listen, mel], ...]
 *    "results": [[line, status, source, target, file, cosine, distance, reason, same_as], ...]} */
#include "batch.h"
#include "page.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char batch_page_html[]; /* batch_page.html: CMakeLists.txt */

/* Values that are each listed once. */
typedef struct pool {
    json_t *list, *index; /* index: {the value as a text: its place} */
} pool;

/* Releases the value. */
static json_t *place_of(pool *p, json_t *value) {
    char *key = json_dumped(value, JSON_COMPACT | REPORT_DIGITS);
    json_t *place = key ? json_incref(json_object_get(p->index, key)) : NULL;
    if (key && !place) {
        place = json_integer((json_int_t)json_array_size(p->list));
        json_add(p->list, json_incref(value));
        json_put(p->index, key, json_incref(place));
    }
    free(key);
    json_decref(value);
    return place ? place : json_null();
}

/* The entry's value, or null. */
static json_t *copy(const json_t *entry, const char *key) {
    json_t *value = json_object_get(entry, key);
    return value ? json_incref(value) : json_null();
}

static json_t *result_of(const json_t *entry, pool *sources, pool *targets) {
    json_t *source =
        place_of(sources, json_pack("[o, o]", copy(entry, "source"), copy(entry, "before")));
    json_t *target =
        place_of(targets, json_pack("[o, o, o, o]", copy(entry, "target"), copy(entry, "level"),
                                    copy(entry, "listen"), copy(entry, "mel")));
    const char *file = json_string_value(json_object_get(entry, "file"));
    char *address = file ? page_address(file) : NULL;
    if (file && !address) json_refuse();
    json_t *result =
        json_pack("[o, o, o, o, o, o, o, o, o]", copy(entry, "line"), copy(entry, "status"), source,
                  target, address ? json_text(address) : json_null(), copy(entry, "cosine"),
                  copy(entry, "distance"), copy(entry, "reason"), copy(entry, "same_as"));
    free(address);
    return result;
}

static chl_status no_memory(const char *path) {
    return command_fail(CHL_ERR_MEMORY, "out of memory for the page of %s", path);
}

/* The table's lines as texts of the page, with commas between them. */
static chl_status print_results(const char *path, FILE *from, FILE *to, pool *sources,
                                pool *targets) {
    chl_status status = CHL_OK;
    char *line = NULL;
    size_t room = 0;
    for (int number = 1; status == CHL_OK && getline(&line, &room, from) > 0; number++) {
        json_t *entry;
        const bool read = json_read(line, 0, &entry, NULL) != CHL_ERR_MEMORY;
        json_t *result = json_is_object(entry) ? result_of(entry, sources, targets) : NULL;
        char *text = result ? json_dumped(result, JSON_COMPACT | REPORT_DIGITS) : NULL;
        if (text)
            fprintf(to, "%s\n%s", number > 1 ? "," : "", text);
        else if (!read || json_is_object(entry))
            status = no_memory(path);
        else
            status = command_fail(CHL_ERR_FORMAT,
                                  "%s, line %d: expected a JSON object, as chladni batch writes "
                                  "it: start the batch again, which writes the table anew",
                                  path, number);
        free(text);
        json_decref(result);
        json_decref(entry);
    }
    if (status == CHL_OK && ferror(from))
        status = command_fail(CHL_ERR_IO, "%s: cannot be read", path);
    free(line);
    return status;
}

/* {"folder": ..., "results": [...]}, to be freed. */
static chl_status data_of(const char *path, const char *folder, FILE *from, char **data) {
    pool sources = {json_array(), json_object()}, targets = {json_array(), json_object()};
    char *results = NULL;
    size_t size;
    FILE *to = open_memstream(&results, &size);
    chl_status status = to ? print_results(path, from, to, &sources, &targets) : no_memory(path);
    if (to && !close_text(to) && status == CHL_OK) status = no_memory(path);
    json_t *about = json_pack("{s:o, s:s, s:O, s:O}", "folder", json_text(folder), "version",
                              chl_version(), "sources", sources.list, "targets", targets.list);
    char *head = status == CHL_OK ? json_dumped(about, JSON_COMPACT | REPORT_DIGITS) : NULL;
    *data = NULL;
    if (status == CHL_OK && (!head || asprintf(data, "%.*s,\"results\":[%s]}",
                                               (int)strlen(head) - 1, head, results) < 0)) {
        *data = NULL;
        status = no_memory(path);
    }
    free(head);
    free(results);
    json_decref(about);
    json_decref(sources.list);
    json_decref(sources.index);
    json_decref(targets.list);
    json_decref(targets.index);
    return status;
}

/* The folder's own name, of "." too; NULL: out of memory. */
static char *name_of(const char *out) {
    char *whole = realpath(out, NULL);
    if (!whole && errno == ENOMEM) return NULL;
    const char *slash = whole ? strrchr(whole, '/') : NULL;
    char *name = strdup(slash && slash[1] ? slash + 1 : out);
    free(whole);
    return name;
}

static chl_status write_page(const char *table, const char *page, const char *out) {
    FILE *from = fopen(table, "r");
    if (!from)
        return command_fail(CHL_ERR_IO, "%s: cannot be read: --page names a folder of a batch",
                            table);
    char *data = NULL, *whole = NULL, *folder = name_of(out);
    chl_status status = folder ? data_of(table, folder, from, &data) : no_memory(table);
    fclose(from);
    if (status == CHL_OK && !(whole = page_with_data(batch_page_html, data)))
        status = no_memory(table);
    if (status == CHL_OK) status = chl_file_write(page, whole, strlen(whole));
    free(folder);
    free(data);
    free(whole);
    return status;
}

chl_status batch_page(const char *out) {
    char *table = NULL, *page = NULL;
    if (asprintf(&table, "%s/results.jsonl", out) < 0) table = NULL;
    if (table && asprintf(&page, "%s/index.html", out) < 0) page = NULL;
    const chl_status status = page ? write_page(table, page, out) : no_memory(out);
    free(table);
    free(page);
    return status;
}
