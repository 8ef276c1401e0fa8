/* Numbered pictures and a sound as one video file, by the program ffmpeg; this room and its cover. */
#ifndef CHL_IO_VIDEO_FILE_H
#define CHL_IO_VIDEO_FILE_H
#include "base/status.h"

typedef struct chl_video_job {
    const char *folder; /* of 000000.png, 000001.png, ... */
    int frames;
    float fps;
    const char *sound, *path;
    int (*stop)(void *user); /* NULL, or asked twenty times a second: other than 0 ends it */
    void *user;
} chl_video_job;

/* Writes a file beside it, which takes its place when it is whole: several may at once. CHL_ERR_UNSUPPORTED where there is no
 * ffmpeg, CHL_ERR_IO with its last line when it fails, CHL_ERR_CANCELLED. No child is left. */
chl_status chl_video_file_write(const chl_video_job *job);
/* What a shell would be told, to be freed; NULL without memory. */
char *chl_video_file_command(const chl_video_job *job);
#endif
