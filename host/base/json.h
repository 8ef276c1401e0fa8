/* jansson where memory runs out. Its parser (2.14) cuts a text at the place where an allocation fails
 * and goes on, a tree that is built lacks what found no room, and json_dumps leaves out keys: none
 * of it shows in the result. So each thread counts the allocations that jansson was refused, and
 * trees are read, built and written by these functions only (tests/layers.py). */
#ifndef CHL_BASE_JSON_H
#define CHL_BASE_JSON_H
#include "base/status.h"
#include <jansson.h>

/* *root: the tree, which the caller releases, or NULL where the text is none (`problem` says why). No
 * `problem` is wanted: NULL. CHL_ERR_MEMORY names `name`. */
chl_status chl_json_read(const char *text, size_t length, size_t flags, const char *name,
                         json_t **root, json_error_t *problem);
/* The same of a file of at most `max_bytes`; errors of base/file_bytes.h. */
chl_status chl_json_read_file(const char *path, int64_t max_bytes, json_t **root,
                              json_error_t *problem);
/* What a tree needs and this thread was refused so far, for who builds one: equal before and after,
 * and the tree is whole. */
uint64_t chl_json_refused(void);
/* Something outside of jansson that belongs into a tree of this thread found no memory. */
void chl_json_refuse(void);

/* --- building: the only ways to put a value into a tree ----------------------------------------
 * They take the value over. One that is NULL or finds no room counts as refused. In keys and
 * strings, bytes that are not UTF-8 become \xNN. */
void chl_json_set(json_t *object, const char *key, json_t *value);
void chl_json_append(json_t *array, json_t *value);
/* NULL without memory, and for NULL. */
json_t *chl_json_string(const char *text);
/* The same as chl_json_set, for who can stop at once: CHL_ERR_MEMORY names the key. */
chl_status chl_json_put(json_t *object, const char *key, json_t *value);
/* The only way to a text: a whole one, to be freed, or NULL where `value` is NULL or there is no
 * memory, now or since chl_json_refused() was `refused`. `flags` are jansson's. */
char *chl_json_text(const json_t *value, size_t flags, uint64_t since);
#endif
