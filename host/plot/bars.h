/* Counts by name as a picture: a horizontal bar each, the largest first.
 *
 *     const chl_bars bars = {.title = "clips of each label", .count = 10, .bar = list};
 *     CHL_TRY(chl_bars_write(&bars, "labels.png"));
 *
 * Of more than CHL_BARS_SHOWN the smallest ones are summed up in the last. */
#ifndef CHL_PLOT_BARS_H
#define CHL_PLOT_BARS_H
#include "plot/canvas.h"

#define CHL_BARS_SHOWN 60

typedef struct chl_bar {
    const char *name;
    int64_t count; /* >= 0 */
} chl_bar;

typedef struct chl_bars {
    const char *title;
    int count;
    chl_bar *bar; /* [count]: sorted by the drawing */
} chl_bars;

chl_status chl_bars_draw(const chl_bars *bars, chl_canvas *out);
/* The same into a PNG; the file appears complete or not at all. */
chl_status chl_bars_write(const chl_bars *bars, const char *path);
#endif
