/* Option structs that can grow, and the checks of their fields.
 *
 * A public option struct begins with `uint32_t size`, which the caller sets to its own sizeof, and
 * grows at its end only. A caller may thus have been compiled with an older or a newer header than
 * the library: it has fewer fields, which then take their defaults, or more, which must be zero.
 * Structs never nest by value (the outer one would move what follows the inner one): an option
 * struct in another is a pointer, and NULL means defaults. */
#ifndef CHL_BASE_OPTIONS_H
#define CHL_BASE_OPTIONS_H
#include "base/status.h"
#include <stdbool.h>

/* Copies a caller's options over `mine` [size bytes], which holds the defaults on entry; mine's own
 * size field is `size` afterwards. theirs NULL: the defaults stay. `name` of the struct, for the
 * error. CHL_ERR_ARGUMENT for a size that no header ever had (0 above all), CHL_ERR_UNSUPPORTED for
 * a larger struct that is not zero beyond `size`: an option of a newer header is set. */
chl_status chl_options_take(void *mine, uint32_t size, const void *theirs, const char *name);

/* Writes `defaults` [size bytes] to a caller's struct of `their_size` bytes: truncated, or followed
 * by zeros. The struct's size field becomes their_size. */
void chl_options_give(void *theirs, size_t their_size, const void *defaults, size_t size);

/* --- checks of arguments ---------------------------------------------------------------------- */
/* First in a public function: pointers, by their names, that must not be NULL. */
#define CHL_NEEDS(...)                                                                             \
    CHL_TRY(chl_check_arguments(                                                                   \
        __func__, #__VA_ARGS__, (const void *const[]){__VA_ARGS__},                                \
        (int)(sizeof(const void *const[]){__VA_ARGS__} / sizeof(const void *))))
/* Numbers [count] of a caller's that must be finite; `x` is the argument's name. */
#define CHL_FINITE(x, count) CHL_TRY(chl_check_finite(__func__, #x, x, count))

/* CHL_ERR_ARGUMENT "chl_edit: argument `source` must not be NULL" for the first of the pointers
 * [count] that is; `names` as in "engine, source". */
chl_status chl_check_arguments(const char *function, const char *names, const void *const *pointer,
                               int count);
/* CHL_ERR_NUMERIC "chl_edit: `source` must be finite, got nan at number 17 of 512" */
chl_status chl_check_finite(const char *function, const char *name, const float *x, int64_t count);
/* CHL_ERR_ARGUMENT for the first text [count] that is NULL: "chl_embed_texts: `utf8` must not hold
 * NULL, got it at 3" */
chl_status chl_check_texts(const char *function, const char *name, int64_t count,
                           const char *const *text);

/* --- checks of fields ------------------------------------------------------------------------- */
/* "steps must be >= 1, got 0" unless `holds`. `field` is the struct's or parameter's name. */
chl_status chl_check_int(bool holds, const char *field, const char *range, int64_t value);
chl_status chl_check_float(bool holds, const char *field, const char *range, double value);
/* value in [0, count) */
chl_status chl_check_enum(int value, int count, const char *field);
/* Whether a text option, which may be NULL, has been set to this value. */
bool chl_is_option(const char *option, const char *value);
/* "source must not be NULL" */
chl_status chl_check_pointer(const void *pointer, const char *field);
#endif
