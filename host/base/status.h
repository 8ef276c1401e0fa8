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

/* The end of a function that makes something: *out is it, or it is released; returns the status. */
#define CHL_HAND_OVER(status, made, out, release)                                                  \
    do {                                                                                           \
        const chl_status chl_made_status = (status);                                               \
        if (chl_made_status == CHL_OK)                                                             \
            *(out) = (made);                                                                       \
        else                                                                                       \
            release(made);                                                                         \
        return chl_made_status;                                                                    \
    } while (0)

/* One line, without a newline: to this thread's sink, or, where that has no callback, to the
 * process-wide callback of chl_log_to. */
void chl_log(chl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where an engine's lines go. A function that works on one begins and ends with
 *
 *     const chl_log_sink before = chl_log_divert(engine->log);
 *     return chl_log_restore(before, work(engine)); */
typedef struct chl_log_sink {
    chl_log_callback callback; /* NULL: the process-wide one */
    void *user;
} chl_log_sink;
/* Sets this thread's sink (at first one without a callback) and returns the one before. */
chl_log_sink chl_log_divert(chl_log_sink sink);
/* Sets it back; returns `status`. */
chl_status chl_log_restore(chl_log_sink before, chl_status status);
#endif
