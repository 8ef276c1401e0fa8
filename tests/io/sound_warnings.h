/* What tests of sound files share: the file in question, the last warning about it. */
#ifndef CHL_TEST_SOUND_WARNINGS_H
#define CHL_TEST_SOUND_WARNINGS_H
#include "bytes.h"
#include "harness/parity.h"
#include "io/sound.h"

/* libsndfile 1.2 does not free what it allocated for an OGG that turns out to be damaged. */
/* visible: the sanitizer's library must find it */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:vorbis_info_init";
}

static bytes file;
static char warning[1024];

/* For chl_log_to. */
static void keep_warning(void *user, chl_log_level level, const char *line) {
    (void)user;
    if (level == CHL_LOG_WARN) snprintf(warning, sizeof warning, "%s", line);
}
#endif
