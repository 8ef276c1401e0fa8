/* Failure, the only way this library reports it: a status code and, per thread, a text. */
#ifndef CHL_BASE_STATUS_H
#define CHL_BASE_STATUS_H
#include <chladni/status.h>
#include <stdarg.h>

/* Stores the formatted text as this thread's error and returns `code`, so that one line both says
 * what happened and leaves: `return chl_fail(CHL_ERR_IO, "%s: ...", path);` */
chl_status chl_fail(chl_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* clang-tidy sees one file at a time: it is told here that a failure is not CHL_OK. */
#define chl_fail(code, ...) ((chl_fail)((code), __VA_ARGS__), (code))
#endif

/* Puts "text: " in front of the pending error, for a caller who knows more (which file, which op).
 */
chl_status chl_fail_in(chl_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Leaves the function with the callee's status when it is not CHL_OK. */
#define CHL_TRY(call)                                                                              \
    do {                                                                                           \
        chl_status chl_try_status = (call);                                                        \
        if (chl_try_status != CHL_OK) return chl_try_status;                                       \
    } while (0)

/* The same for functions with something to release. Needs `chl_status status;` and a label `done`.
 */
#define CHL_TRY_GOTO(call)                                                                         \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CHL_OK) goto done;                                                           \
    } while (0)

/* One line to the process-wide callback of chl_log_to, without a newline. */
void chl_log(chl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
