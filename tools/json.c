/* JSON of the program: what found no memory is missing in a tree without a word (jansson 2.14). */
#include "command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool refused;

static void *watched_malloc(size_t size) {
    void *memory = malloc(size);
    refused = refused || !memory;
    return memory;
}

void json_refuse(void) {
    refused = true;
}

json_t *json_text(const char *text) {
    char *utf8 = chl_text_escape(text, 0);
    json_t *value = utf8 ? json_string(utf8) : NULL;
    refused = refused || (text && !utf8);
    free(utf8);
    return value;
}

void json_watch(void) {
    json_set_alloc_funcs(watched_malloc, free);
}

bool json_is_whole(const json_t *value) {
    return value && !refused;
}

void json_put(json_t *object, const char *key, json_t *value) {
    if (json_object_set_new_nocheck(object, key, value) != 0) refused = true;
}

void json_add(json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0) refused = true;
}

void json_put_all(json_t *object, const json_t *from) {
    const char *key;
    json_t *value;
    if (!from) refused = true;
    json_object_foreach((json_t *)from, key, value) json_put(object, key, json_incref(value));
}

/* A tree whose parser found no memory lacks parts, and *problem speaks of another fault. */
static chl_status settle(json_t **value) {
    if (!refused) return *value ? CHL_OK : CHL_ERR_FORMAT;
    json_decref(*value);
    *value = NULL;
    return command_fail(CHL_ERR_MEMORY, "out of memory for JSON that is read");
}

chl_status json_read(const char *text, size_t flags, json_t **value, json_error_t *problem) {
    *value = json_loads(text, flags, problem);
    return settle(value);
}

chl_status json_read_file(const char *path, json_t **value, json_error_t *problem) {
    *value = json_load_file(path, 0, problem);
    return settle(value);
}

json_t *json_parsed(const char *text) {
    json_error_t problem;
    json_t *value;
    if (json_read(text, 0, &value, &problem) == CHL_ERR_FORMAT)
        (void)command_fail(CHL_ERR_FORMAT, "the report is no JSON: %s", problem.text);
    return value;
}

/* Asked again behind it: where the growing text finds no memory, json_dumps leaves keys out. */
char *json_dumped(const json_t *value, size_t flags) {
    char *text = json_is_whole(value) ? json_dumps(value, flags) : NULL;
    if (json_is_whole(value)) return text;
    free(text);
    return NULL;
}

static char *dumped(const json_t *value, size_t flags) {
    char *text = json_dumped(value, flags);
    if (!text) (void)command_fail(CHL_ERR_MEMORY, "out of memory for the report");
    return text;
}

int print_json(json_t *value, size_t flags) {
    char *text = dumped(value, flags | JSON_COMPACT);
    json_decref(value);
    if (!text) return run_error();
    puts(text);
    free(text);
    return EXIT_OK;
}

int write_json(const json_t *value, size_t flags, const char *path) {
    char *text = dumped(value, flags);
    const chl_status status = text ? chl_file_write(path, text, strlen(text)) : CHL_ERR_MEMORY;
    free(text);
    return status == CHL_OK ? EXIT_OK : run_error();
}
