/* Plots of lines or points over two axes: ticks, grid, a legend.
 *
 *     const chl_plot_line line = {"loss", steps, losses, count};
 *     const chl_plot plot = {.title = "losses", .x_name = "step", .y_name = "loss",
 *                            .lines = 1, .line = &line};
 *     CHL_TRY(chl_plot_write(&plot, 1000, 600, "losses.png"));
 *
 * Points that are not finite, or not > 0 on a logarithmic axis, are left out. A line of many points
 * is drawn twice: each point in a light colour, and means over neighbours in the full one. */
#ifndef CHL_PLOT_PLOT_H
#define CHL_PLOT_PLOT_H
#include "plot/canvas.h"
#include <stdbool.h>

#define CHL_PLOT_LINES 10 /* as many as there are colours */

typedef struct chl_plot_line {
    const char *name;    /* in the legend */
    const double *x, *y; /* [count], x rising */
    int64_t count;
} chl_plot_line;

typedef struct chl_plot {
    const char *title, *x_name, *y_name;
    bool log_x, log_y;
    bool gaps;   /* a point that is left out breaks its line */
    bool points; /* a dot per point, without lines between; x in any order */
    int lines;   /* 1 ... CHL_PLOT_LINES */
    const chl_plot_line *line;
} chl_plot;

/* Pixels of the whole picture, at least 320 x 200. Names that leave no room for the axes are cut. */
chl_status chl_plot_draw(const chl_plot *plot, int width, int height, chl_canvas *out);
/* The same, and where its axes are, in pixels: for a picture that shares an axis. */
typedef struct chl_plot_area {
    int left, right, top, bottom;
} chl_plot_area;
chl_status chl_plot_draw_area(const chl_plot *plot, int width, int height, chl_canvas *out,
                              chl_plot_area *area);
/* The same into a PNG; the file appears complete or not at all. */
chl_status chl_plot_write(const chl_plot *plot, int width, int height, const char *path);
#endif
