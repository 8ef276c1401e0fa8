/* Status codes, error texts, the log, the version; how option structs work. */
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
/* The compiler warns about an ignored status: clang by the type, so that calls through a pointer
 * are included, gcc by the function (CHL_CHECKED). To ignore one on purpose, write down why and
 * compare it with CHL_OK. */
#if defined(__clang__)
#define CHL_CHECKED_TYPE __attribute__((warn_unused_result))
#else
#define CHL_CHECKED_TYPE
#endif

/* Result of a call. 0 is success; for any other value chl_error() is the text. */
typedef enum CHL_CHECKED_TYPE chl_status {
    CHL_OK = 0,
    CHL_ERR_ARGUMENT,    /* an argument or option is out of its range, or missing */
    CHL_ERR_SHAPE,       /* sizes do not match */
    CHL_ERR_MEMORY,      /* out of memory */
    CHL_ERR_IO,          /* a file could not be opened, read or written */
    CHL_ERR_FORMAT,      /* a file is damaged, contradicts itself, or is of an unknown kind */
    CHL_ERR_KEY,         /* a weight is missing or unknown */
    CHL_ERR_UNSUPPORTED, /* this build, device or version of the library cannot do it */
    CHL_ERR_NUMERIC,     /* NaN or infinity in place of a finite number */
    CHL_ERR_CANCELLED,   /* a callback stopped the call; results so far are valid */
    CHL_ERR_INTERNAL,    /* a defect of the library */
    CHL_ERR_RANK         /* another rank of a training has failed, and reports the reason itself */
} chl_status;

/* Text of this thread's last failed call: what was expected and what came, in which file, what to
 * do. Names fields of option structs and parameters. Never NULL; valid until this thread's next
 * failing call. */
CHL_API const char *chl_error(void);
/* Version of the library that runs: "0.2.0". */
CHL_API const char *chl_version(void);
/* Backends, threads, instruction set and libraries of this build and machine, one per line. */
CHL_API const char *chl_build_info(void);

typedef enum chl_log_level { CHL_LOG_DEBUG, CHL_LOG_INFO, CHL_LOG_WARN } chl_log_level;
typedef void (*chl_log_callback)(void *user, chl_log_level level, const char *line);
/* Sets the process-wide receiver of log lines (without a newline); NULL, the initial state: none.
 * Call it before other threads use the library. */
CHL_API void chl_log_to(chl_log_callback callback, void *user);

/* A copy of `text` in which every byte that is not UTF-8 is written as \xNN; with `controls` also
 * control characters, which a terminal would obey (U+0000 to U+001F, U+007F to U+009F). Names of
 * files are any bytes: this makes them fit for JSON (controls 0, JSON escapes those itself) and for
 * a terminal (1). Freed with free; NULL without memory, and for NULL. */
CHL_API char *chl_text_escape(const char *text, int controls);
/* A text as one word of a shell's command, to be freed with free; NULL without memory, and for NULL. */
CHL_API char *chl_text_quote(const char *text);

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
