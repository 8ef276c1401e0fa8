/* How this library reports failure: a function returns a status code, and the text that explains it
 * is kept per thread (chl_error). Nothing prints, exits or throws.
 *
 * A text names the file and the key or field, says what was expected and what came, and what to do:
 * "w.safetensors: \"norm.bias\" is [3] where [512] is expected". */
#ifndef CHL_BASE_STATUS_H
#define CHL_BASE_STATUS_H
#include <chladni/status.h>
#include <stdarg.h>

/* Stores the formatted text as this thread's error and returns `code`, so that one line does both:
 * `return chl_fail(CHL_ERR_IO, "%s: ...", path);` */
chl_status chl_fail(chl_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* clang-tidy reads one file at a time: this lets it know that a failure is not CHL_OK. */
#define chl_fail(code, ...) ((chl_fail)((code), __VA_ARGS__), (code))
#endif

/* Puts "text: " before this thread's error, for a caller who knows more (which file, which op). */
chl_status chl_fail_in(chl_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns the callee's status from the enclosing function when it is not CHL_OK. */
#define CHL_TRY(call)                                                                              \
    do {                                                                                           \
        chl_status chl_try_status = (call);                                                        \
        if (chl_try_status != CHL_OK) return chl_try_status;                                       \
    } while (0)

/* The same for functions that must release something: jumps to the label `done` with the status in
 * a local variable `status`. */
#define CHL_TRY_GOTO(call)                                                                         \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CHL_OK) goto done;                                                           \
    } while (0)

/* One line to the process-wide callback of chl_log_to, without a newline. */
void chl_log(chl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
