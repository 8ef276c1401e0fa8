#include "base/options.h"
#include <math.h>
#include <string.h>

/* No option struct is nearly this large: a larger size is uninitialised memory. */
#define MAX_SIZE 4096u
#define MIN_SIZE 8u

chl_status chl_options_take(void *mine, uint32_t size, const void *theirs, const char *name) {
    if (!theirs) return CHL_OK;
    uint32_t given;
    memcpy(&given, theirs, sizeof given);
    if (given == 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s.size is 0: start from the struct's defaults, or set size to sizeof(%s)",
                        name, name);
    if (given < MIN_SIZE || given > MAX_SIZE || given % sizeof(uint32_t) != 0)
        return chl_fail(CHL_ERR_ARGUMENT, "%s.size must be sizeof(%s), got %u", name, name, given);
    const unsigned char *bytes = theirs;
    for (uint32_t i = size; i < given; i++)
        if (bytes[i])
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s has %u bytes, library %s knows %u of them and the others are not "
                            "0: the program was built against a newer header and sets an option "
                            "that this library does not have",
                            name, given, CHLADNI_VERSION, size);
    memcpy(mine, theirs, given < size ? given : size);
    memcpy(mine, &size, sizeof size);
    return CHL_OK;
}

void chl_options_give(void *theirs, size_t their_size, const void *defaults, size_t size) {
    const uint32_t stored = (uint32_t)their_size;
    if (!theirs) return; /* a caller's mistake that nothing can report: there is nothing to fill */
    memset(theirs, 0, their_size);
    memcpy(theirs, defaults, their_size < size ? their_size : size);
    memcpy(theirs, &stored, their_size < sizeof stored ? their_size : sizeof stored);
}

chl_status chl_check_int(bool holds, const char *field, const char *range, int64_t value) {
    if (holds) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s must be %s, got %lld", field, range, (long long)value);
}

chl_status chl_check_float(bool holds, const char *field, const char *range, double value) {
    if (holds) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s must be %s, got %g", field, range, value);
}

chl_status chl_check_enum(int value, int count, const char *field) {
    if (value >= 0 && value < count) return CHL_OK;
    return chl_fail(CHL_ERR_ARGUMENT, "%s must be in [0, %d], got %d", field, count - 1, value);
}

chl_status chl_check_pointer(const void *pointer, const char *field) {
    return pointer ? CHL_OK : chl_fail(CHL_ERR_ARGUMENT, "%s must not be NULL", field);
}

chl_status chl_check_arguments(const char *function, const char *names, const void *const *pointer,
                               int count) {
    for (int i = 0; i < count; i++, names += strcspn(names, ","), names += strspn(names, ", "))
        if (!pointer[i])
            return chl_fail(CHL_ERR_ARGUMENT, "%s: argument `%.*s` must not be NULL", function,
                            (int)strcspn(names, ","), names);
    return CHL_OK;
}

chl_status chl_check_finite(const char *function, const char *name, const float *x, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return chl_fail(CHL_ERR_NUMERIC,
                            "%s: `%s` must be finite, got %g at number %lld of %lld", function,
                            name, (double)x[i], (long long)i + 1, (long long)count);
    return CHL_OK;
}

chl_status chl_check_texts(const char *function, const char *name, int64_t count,
                           const char *const *text) {
    for (int64_t i = 0; i < count; i++)
        if (!text[i])
            return chl_fail(CHL_ERR_ARGUMENT, "%s: `%s` must not hold NULL, got it at number %lld",
                            function, name, (long long)i + 1);
    return CHL_OK;
}

bool chl_is_option(const char *option, const char *value) {
    return option && strcmp(option, value) == 0;
}
