#include "io/video_frame.h"
#include "io/ffmpeg.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_PROGRESS ((int64_t)16 << 20) /* bytes: ffmpeg writes a few lines twice a second */
#define MOST_PICTURE ((int64_t)512 << 20)

static chl_status ask(const chl_ffmpeg_job *job, const chl_sound_bytes *input,
                      chl_file_bytes *out) {
    bool missing;
    const chl_status status = chl_ffmpeg_decode(job, input, &missing, out);
    if (!missing) return status;
    return chl_fail(
        CHL_ERR_UNSUPPORTED,
        "%s: is a video, whose picture is read through the program ffmpeg, which is not "
        "in PATH: install it",
        job->name);
}

/* The last of the lines "out_time_us=1234" of -progress. */
static double last_time(const chl_file_bytes *progress) {
    static const char key[] = "out_time_us=";
    double seconds = 0;
    char line[64];
    for (size_t at = 0; at < progress->size;) {
        const uint8_t *end = memchr(progress->data + at, '\n', progress->size - at);
        const size_t length = end ? (size_t)(end - progress->data) - at : progress->size - at;
        snprintf(line, sizeof line, "%.*s", (int)length, (const char *)progress->data + at);
        if (strncmp(line, key, sizeof key - 1) == 0)
            seconds = 1e-6 * strtod(line + sizeof key - 1, NULL);
        at += length + 1;
    }
    return seconds > 0 ? seconds : 0;
}

/* Its packets are copied to nowhere, which decodes nothing. */
static chl_status measure(const chl_ffmpeg_job *about, const chl_sound_bytes *input,
                          double *seconds) {
    static const char *const count[] = {"-map", "0:v:0",     "-c",     "copy",      "-f",
                                        "null", "-progress", "pipe:1", "/dev/null", NULL};
    chl_ffmpeg_job job = *about;
    chl_file_bytes progress;
    job.behind = count;
    job.max_bytes = MOST_PROGRESS;
    CHL_TRY(ask(&job, input, &progress));
    *seconds = last_time(&progress);
    chl_file_bytes_free(&progress);
    return CHL_OK;
}

static chl_status read_frame(const char *name, chl_sound_bytes *input, chl_raster *out) {
    static const char *const one[] = {"-map",       "0:v:0", "-frames:v", "1",      "-f",
                                      "image2pipe", "-c:v",  "png",       "pipe:1", NULL};
    chl_ffmpeg_job job = {.name = name, .kind = chl_sound_kind(input)};
    char at[32];
    const char *const seek[] = {"-ss", at, NULL};
    double seconds;
    if (!job.kind || (strcmp(job.kind, "mov") != 0 && strcmp(job.kind, "matroska") != 0))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: is no video of a kind that is read: MP4, MOV, MKV, WebM", name);
    CHL_TRY(measure(&job, input, &seconds));
    snprintf(at, sizeof at, "%.3f", seconds / 2);
    job.before = seek;
    job.behind = one;
    job.max_bytes = MOST_PICTURE;
    chl_file_bytes picture;
    CHL_TRY(ask(&job, input, &picture));
    const chl_status status = chl_raster_read_memory(picture.data, picture.size, name, out);
    chl_file_bytes_free(&picture);
    return status;
}

chl_status chl_video_frame_read(const char *path, chl_raster *out) {
    chl_sound_bytes input = {.file = {.descriptor = -1}};
    CHL_TRY(chl_file_open(path, false, &input.file));
    input.size = input.file.size;
    const chl_status status = read_frame(path, &input, out);
    close(input.file.descriptor);
    return status;
}

chl_status chl_video_frame_read_memory(const void *data, size_t size, const char *name,
                                       chl_raster *out) {
    chl_sound_bytes input = {.file = {.descriptor = -1}, .memory = data, .size = (int64_t)size};
    return read_frame(name, &input, out);
}
