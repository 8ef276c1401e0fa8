/* jansson where memory runs out. Its parser (2.14) cuts a text at the place where an allocation fails
 * and goes on, and a tree that is built lacks what found no room: neither shows in the result. So
 * each thread counts the allocations that jansson was refused. */
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
/* Refused allocations of this thread so far, for who builds a tree: equal before and after, and the
 * tree is whole. */
uint64_t chl_json_refused(void);
#endif
