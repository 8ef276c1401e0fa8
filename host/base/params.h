/* Named arrays on the host: what a checkpoint holds after reading and what a network takes.
 *
 * The readers (host/io) fill one of these from any container; a net's `<net>_import` renames
 * upstream keys to the names its builder uses; the builder takes what it needs; whatever nobody
 * took or ignored on purpose is reported by chl_params_check_all_used. Floating-point data is
 * float32 after reading, whatever the file held (f16, bf16, f64); integer data is int32 (int64 is
 * narrowed, out of range is an error). */
#ifndef CHL_BASE_PARAMS_H
#define CHL_BASE_PARAMS_H
#include "base/status.h"
#include "ops.h"
#include <stdbool.h>

typedef struct chl_array {
    char *name;
    chl_desc desc;
    void *data; /* owned by the params, 64-byte aligned */
    bool used;  /* some builder used it, or it is known to be harmless */
} chl_array;

typedef struct chl_params {
    char *source; /* the file, for error texts */
    chl_array *array;
    int64_t count, capacity;
    int64_t *slot; /* open-addressing hash index over names */
    int64_t slots;
} chl_params;

chl_status chl_params_new(const char *source, chl_params **out);
void chl_params_free(chl_params *params);

/* Adds a named array, uninitialised, and hands out its memory. A name twice is CHL_ERR_FORMAT. */
chl_status chl_params_add(chl_params *params, const char *name, chl_desc desc, void **data);
/* NULL when absent. The pointer is valid until the next add. Does not mark it used. */
chl_array *chl_params_find(const chl_params *params, const char *name);
/* Gives an array another name; the new one must be free. */
chl_status chl_params_rename(chl_params *params, const char *from, const char *to);
/* Takes `prefix` off every name that starts with it. */
chl_status chl_params_strip(chl_params *params, const char *prefix);
/* Drops one array; absent is fine. */
void chl_params_drop(chl_params *params, const char *name);
/* Marks names with this suffix as known and harmless. */
void chl_params_ignore_suffix(chl_params *params, const char *suffix);
/* Error naming the file, the first few unused keys and their number; CHL_OK when all were used.
 */
chl_status chl_params_check_all_used(const chl_params *params);
#endif
