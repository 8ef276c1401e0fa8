/* Shell scripts that play the program ffmpeg, in a folder of the test's own. */
#ifndef CHL_TEST_PLAYED_FFMPEG_H
#define CHL_TEST_PLAYED_FFMPEG_H
#include "harness/parity.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/chladni-ffmpeg-XXXXXX";
static char real_path[4096];

static inline const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline int begin_playing(void) {
    snprintf(real_path, sizeof real_path, "%s", getenv("PATH"));
    return mkdtemp(folder) ? 0 : -1;
}

static inline int end_playing(void **unused) {
    (void)unused;
    setenv("PATH", real_path, 1);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* From here on `ffmpeg` is a script with these lines, in the folder. NULL: there is none. */
static inline void play(const char *lines) {
    char path[4400];
    unlink(in_folder("ffmpeg"));
    if (lines) {
        FILE *script = fopen(in_folder("ffmpeg"), "w");
        fprintf(script, "#!/bin/sh\ncd '%s'\n%s\n", folder, lines);
        fclose(script);
        chmod(in_folder("ffmpeg"), 0755);
    }
    snprintf(path, sizeof path, lines ? "%s:/usr/bin:/bin" : "%s", folder);
    setenv("PATH", path, 1);
}

static inline char *text_of(const char *name) {
    static char text[4096];
    FILE *file = fopen(in_folder(name), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static inline void no_child_is_left(void) {
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}
#endif
