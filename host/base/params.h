/* Named arrays in host memory: a checkpoint after reading, the weights of a network.
 *
 * The way of a weight, from file to graph:
 *
 *     chl_weights_read("clip.pt", &params)     host/io fills the list, whatever the container
 *     chl_clip_import(params, &config)         renames upstream keys to ours, reads sizes off
 * shapes chl_clip_image(&net, &config, x)         the builder looks arrays up by name
 *     chl_params_check_all_used(params)        an array that nobody used or ignored is an error
 *
 * Floating-point data is float32 after reading, whatever the file held (f16, bf16, f64); integer
 * data is int32 (int64 is narrowed; out of range is an error). The order of the arrays is the
 * file's. Not thread-safe while arrays are added, renamed or dropped. */
#ifndef CHL_BASE_PARAMS_H
#define CHL_BASE_PARAMS_H
#include "base/status.h"
#include "ops.h"
#include <stdbool.h>

typedef struct chl_array {
    char *name;
    chl_desc desc;
    void *data; /* owned by the params, 64-byte aligned */
    bool used;  /* a builder looked it up, or it was ignored on purpose */
} chl_array;

/* What a file states about the network beside its arrays (base/facts.h). */
typedef struct chl_fact {
    char *name, *value;
    bool used; /* a reader obeyed it, or knows that it does not matter */
} chl_fact;

typedef struct chl_params {
    char *source; /* the file, for error texts */
    chl_array *array;
    int64_t count, capacity;
    int64_t *slot; /* open-addressing hash index over names */
    int64_t slots;
    chl_fact *fact; /* in the order of the file */
    int64_t facts, fact_capacity;
} chl_params;

chl_status chl_params_new(const char *source, chl_params **out);
void chl_params_free(chl_params *params);

/* CHL_ERR_SHAPE, naming `source` and `name`, when a size is negative or the bytes overflow;
 * otherwise *bytes is the size of the data. chl_bytes may be called on a checked desc only. */
chl_status chl_check_size(const char *source, const char *name, const chl_desc *desc,
                          size_t *bytes);

/* Adds a named array and returns its memory, uninitialised. A name that exists already is
 * CHL_ERR_FORMAT, an impossible size CHL_ERR_SHAPE. */
chl_status chl_params_add(chl_params *params, const char *name, chl_desc desc, void **data);
/* NULL when absent. The pointer is valid until the next add or drop. Does not mark it used. */
chl_array *chl_params_find(const chl_params *params, const char *name);
/* Gives an array another name; CHL_ERR_KEY when `from` is missing or `to` exists already. */
chl_status chl_params_rename(chl_params *params, const char *from, const char *to);
/* Removes `prefix` from every name that starts with it. */
chl_status chl_params_strip(chl_params *params, const char *prefix);
/* Removes one array and frees it; does nothing when it is absent. */
void chl_params_drop(chl_params *params, const char *name);
/* Marks every array whose name ends in `suffix` used: known, and not needed. */
void chl_params_ignore_suffix(chl_params *params, const char *suffix);
/* CHL_OK when every array and every fact was used, otherwise CHL_ERR_KEY with the file, the number
 * of unused keys and the first few of them; CHL_ERR_UNSUPPORTED for a fact. */
chl_status chl_params_check_all_used(const chl_params *params);
/* The facts alone, with the name and the value of the first that was not used. */
chl_status chl_params_check_facts(const chl_params *params);
#endif
