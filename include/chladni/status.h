/* Status codes, the error text of a thread, the log, what this build is. */
#ifndef CHLADNI_STATUS_H
#define CHLADNI_STATUS_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CHL_API __attribute__((visibility("default")))
#define CHL_MUST_CHECK __attribute__((warn_unused_result))
#else
#define CHL_API
#define CHL_MUST_CHECK
#endif
#define CHL_CHECKED CHL_API CHL_MUST_CHECK
/* clang warns wherever a status is dropped, a call through a pointer included; gcc knows functions
 * only (CHL_CHECKED). To drop one on purpose, write down why and compare it with CHL_OK. */
#if defined(__clang__)
#define CHL_CHECKED_TYPE __attribute__((warn_unused_result))
#else
#define CHL_CHECKED_TYPE
#endif

/* What a call came to. 0 is success; the text that belongs to any other value is chl_error(). */
typedef enum CHL_CHECKED_TYPE chl_status {
    CHL_OK = 0,
    CHL_ERR_ARGUMENT,    /* the caller asked for something that makes no sense */
    CHL_ERR_SHAPE,       /* sizes that do not fit together */
    CHL_ERR_MEMORY,      /* out of memory */
    CHL_ERR_IO,          /* a file could not be opened, read or written */
    CHL_ERR_FORMAT,      /* a file is damaged, lies about itself, or is of an unknown kind */
    CHL_ERR_KEY,         /* a weight is missing or not known */
    CHL_ERR_UNSUPPORTED, /* understood, but this build or backend cannot do it */
    CHL_ERR_NUMERIC,     /* NaN or infinity where a number was needed */
    CHL_ERR_CANCELLED,   /* a callback asked to stop; results so far are valid */
    CHL_ERR_INTERNAL     /* a defect of the engine */
} chl_status;

/* The text of this thread's last failed call: what, where, which file, which key, what to do.
 * Valid until this thread's next failing call. Never NULL. */
CHL_API const char *chl_error(void);
/* "0.1.0" */
CHL_API const char *chl_version(void);
/* Backends, threads, instruction set and libraries of this build and machine, a line each. */
CHL_API const char *chl_build_info(void);

typedef enum chl_log_level { CHL_LOG_DEBUG, CHL_LOG_INFO, CHL_LOG_WARN } chl_log_level;
typedef void (*chl_log_callback)(void *user, chl_log_level level, const char *line);
/* Where log lines go; NULL (as at first): nowhere. Set it before other threads use the library. */
CHL_API void chl_log_to(chl_log_callback callback, void *user);

/* --- option structs --------------------------------------------------------------------------- */
/* Every option struct begins with `uint32_t size`, which the caller sets to its sizeof; functions
 * named chl_..._defaults do that and fill in the defaults. A function that takes options accepts
 * NULL for the defaults, and any size: a program that was compiled against an older header works
 * with a newer library (fields it does not know take their defaults), and one that was compiled
 * against a newer header works as long as the fields that this library does not know are 0
 * (otherwise CHL_ERR_UNSUPPORTED). So these structs change in one way only: fields are added at the
 * end. They hold other option structs by pointer, NULL for the defaults.
 * chl_..._options_init is for other languages: it writes the defaults into `size` bytes, the
 * caller's sizeof. Structs that hold results or are elements of an array never change. */

#ifdef __cplusplus
}
#endif
#endif
