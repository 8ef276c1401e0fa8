/* Errors of a build that lacks a library; this room only. */
#ifndef CHL_IO_LACKS_H
#define CHL_IO_LACKS_H
#include "base/status.h"

/* `what` it does not do: "reads no sound files"; `needs`: "libsndfile and soxr". */
static inline chl_status chl_lacks_media(const char *name, const char *what, const char *needs) {
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: this build %s: rebuild with -DCHLADNI_MEDIA=ON (needs %s)", name, what,
                    needs);
}

/* `what` the file is: "an MP3"; `with` which library, or what to do instead. */
static inline chl_status chl_lacks_library(const char *name, const char *what, const char *with) {
    return chl_fail(CHL_ERR_UNSUPPORTED, "%s: is %s, and this build reads none: rebuild with %s",
                    name, what, with);
}
#endif
