/* `video`: a sound's windows become codes, a smooth path goes through them, its pictures are the frames.
 *
 * Beside V.mp4 there is a folder while it is made, V.mp4.frames-<16 digits of a digest of options and
 * files>: source.npy, key-0000.npy, ... (by the sound), text-0000.npy, ... (by the score's texts) and
 * 000000.png, ... The same command goes on from what is there. */
#ifndef CHL_TOOLS_VIDEO_H
#define CHL_TOOLS_VIDEO_H
#include "one_edit.h"
#include "video_score.h"
#include <math.h>

typedef struct video_job {
    one_edit e; /* the source, the sound, the settings of an edit */
    const char *out, *strip, *latent_out, *score_path;
    float fps, seconds, every, window, react;
    int warm_steps;
    bool json;

    chl_engine *engine;
    chl_engine_sizes size;
    file_digests files;
    char *folder;
    int claim; /* the folder, locked; -1: not */
    int64_t samples;
    float *wave;                 /* [samples], mono, 44 100 a second */
    double sound_length, length; /* in seconds: of the sound, of the video */
    int keys, frames;
    video_score score;
    float *source, *key, *said;     /* codes: one, [keys], [texts] */
    float *target, *text_target;    /* embeddings: [keys] of the sound, [texts] */
    float *picture;                 /* [keys] pictures */
    float *cosine;                  /* [keys]: of a key's picture with its window of the sound */
    float *text_cosine;             /* [keys]; NAN where a key has no text */
    int keys_before, frames_before; /* that an earlier run of the command has made */
    double change, largest, fade;   /* of neighbouring frames: video_measure */
    progress_line line;
    bool joined;
} video_job;

/* Seconds between keys, as it was written on the command line. */
static inline double video_every(const video_job *job) {
    return rint((double)job->every * 1e6) / 1e6;
}
/* A file of the folder, e.g. key-0003.npy, to be freed; NULL without memory. */
char *video_file(const video_job *job, const char *format, int number);

/* --- video_keys.c: all return statuses -------------------------------------------------------- */
chl_status video_find_source(video_job *job);
/* The keys' codes, one after the other, and their pictures. */
chl_status video_find_keys(video_job *job);
/* In seconds; the last is at the sound's end. */
double video_key_time(const video_job *job, int k);

/* --- video_frames.c --------------------------------------------------------------------------- */
chl_status video_render(video_job *job);
/* The mean change of neighbouring frames, the largest, and that of a cross-fade of the keys' pictures. */
chl_status video_measure(video_job *job);
chl_status video_write_strip(video_job *job);
#endif
