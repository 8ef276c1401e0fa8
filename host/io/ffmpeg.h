/* Sounds that libsndfile does not read (m4a, aac, wma, ...) and pictures of videos, decoded by the
 * program ffmpeg where it is installed; this room only. */
#ifndef CHL_IO_FFMPEG_H
#define CHL_IO_FFMPEG_H
#include "io/sound_bytes.h"

typedef struct chl_ffmpeg_job {
    const char *name;  /* for error texts */
    const char *kind;  /* ffmpeg's name of the container: it looks for no other */
    int64_t max_bytes; /* of what it writes; more is CHL_ERR_UNSUPPORTED */
    int wait_ms;       /* without a byte from it; 0: CHL_PIPE_WAIT_MS */
    /* Its arguments before and behind the input, each to a NULL; before may be NULL. behind NULL: the
     * first sound stream as a WAV of floats. */
    const char *const *before, *const *behind;
} chl_ffmpeg_job;

/* What ffmpeg writes to its standard output -> *out: usually the first sound stream, a WAV of floats, with
 * the rate and channels of the file.
 * ffmpeg is searched in PATH and started without a shell: it reads descriptor 3, no path, may open
 * no network and no other file, has no standard input, and signals of the terminal do not reach it.
 * It has ended when this returns. CHL_ERR_FORMAT with ffmpeg's last line when it fails;
 * CHL_ERR_UNSUPPORTED and *missing where it is not installed. Threads may call this at once. */
chl_status chl_ffmpeg_decode(const chl_ffmpeg_job *job, const chl_sound_bytes *input, bool *missing,
                             chl_file_bytes *out);
#endif
