/* Listening: windows of a recording, each with its cosines to labels. */
#ifndef CHL_EVAL_LISTEN_H
#define CHL_EVAL_LISTEN_H
#include "models/engine.h"
#include <stdbool.h>

typedef struct chl_heard_window {
    double start, end; /* seconds */
    int best;          /* index of the label of the largest cosine */
    bool silent;       /* below the floor of the mel picture, -80 dB of full scale, all along */
    bool fits;         /* not silent, and the cosine reaches the threshold */
} chl_heard_window;

typedef struct chl_heard {
    int64_t count; /* windows */
    chl_heard_window *window;
    int labels;
    const char *const *label;
    float *score; /* [count][labels] */
    double seconds;
    double threshold; /* 0: none */
    /* of each window, where they are wanted: [count][rows][columns], levels from 0 to 255, the
     * lowest band first; columns cover CHL_HEARD_SECONDS */
    uint8_t *picture;
    int rows, columns;
} chl_heard;

/* What an encoder hears at once: the 864 frames of its mel picture. */
#define CHL_HEARD_SECONDS (864 * 512 / 44100.0)

/* Draws the mel picture of the recording, the labels' curves below it and their legend. */
chl_status chl_heard_draw(const chl_heard *heard, const char *title, const char *path);
#endif
