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
#define CHL_CHECKED CHL_API __attribute__((warn_unused_result))
#else
#define CHL_API
#define CHL_CHECKED
#endif
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

#ifdef __cplusplus
}
#endif
#endif
