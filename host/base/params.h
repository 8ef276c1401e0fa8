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
    void *data;    /* owned by the params, 64-byte aligned */
    bool used;     /* a builder looked it up, or it was ignored on purpose */
    bool ignored;  /* on purpose: its numbers do not matter */
    char *problem; /* why it cannot be read: `data` is NULL then. NULL: it was read */
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
    const char *scope; /* put before the names that chl_params_find looks for; NULL: nothing */
} chl_params;

chl_status chl_params_new(const char *source, chl_params **out);
void chl_params_free(chl_params *params);
/* How a function ends that makes a list: *out is `params`, or where `status`, which is returned, is
 * not CHL_OK, NULL, and the list is freed. */
chl_status chl_params_give(chl_params *params, chl_status status, chl_params **out);

/* CHL_ERR_SHAPE, naming `source` and `name`, when a size is negative or the bytes overflow;
 * otherwise *bytes is the size of the data. chl_bytes may be called on a checked desc only. */
chl_status chl_check_size(const char *source, const char *name, const chl_desc *desc,
                          size_t *bytes);

/* Adds a named array and returns its memory, uninitialised. A name that exists already is
 * CHL_ERR_FORMAT, an impossible size CHL_ERR_SHAPE. */
chl_status chl_params_add(chl_params *params, const char *name, chl_desc desc, void **data);
/* Adds a name whose array cannot be read, and why: it stops only who needs it. */
chl_status chl_params_add_unreadable(chl_params *params, const char *name, const char *why);
/* NULL when absent or unreadable. The pointer is valid until the next add or drop. Does not mark it
 * used. */
chl_array *chl_params_find(const chl_params *params, const char *name);
/* Why the array of that name cannot be read; NULL when it can, or is absent. */
const char *chl_params_problem(const chl_params *params, const char *name);
/* The error for an array that chl_params_find did not find: it is missing, or cannot be read. */
chl_status chl_params_missing(const chl_params *params, const char *name);
/* Gives an array another name; CHL_ERR_KEY when `from` is missing or `to` exists already. */
chl_status chl_params_rename(chl_params *params, const char *from, const char *to);
/* Removes `prefix` from every name that starts with it. */
chl_status chl_params_strip(chl_params *params, const char *prefix);
/* Removes one array and frees it; does nothing when it is absent. */
void chl_params_drop(chl_params *params, const char *name);
/* Removes every array whose name starts with `prefix` (`others`: every other one). */
void chl_params_drop_all(chl_params *params, const char *prefix, bool others);
/* Marks every array whose name ends in `suffix` used: known, and not needed. */
void chl_params_ignore_suffix(chl_params *params, const char *suffix);
/* CHL_OK when every array and every fact was used and every number is finite. Otherwise CHL_ERR_KEY
 * with the file, the number of unused keys and the first few of them; CHL_ERR_UNSUPPORTED for a
 * fact; CHL_ERR_NUMERIC for NaN or infinity in an array that was not ignored. */
chl_status chl_params_check_all_used(const chl_params *params);
/* The numbers alone, with the name of the array, the value and its position. */
chl_status chl_params_check_finite(const chl_params *params);
/* Writes the first few names, for an error about a file that nobody recognises. */
void chl_params_list_names(const chl_params *params, char *text, size_t size);
/* The facts alone, with the name and the value of the first that was not used. */
chl_status chl_params_check_facts(const chl_params *params);
#endif
