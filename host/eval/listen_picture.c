/* The picture of what was heard: the mel picture above, over the same time the labels' cosines. */
#include "eval/listen.h"
#include "io/picture.h"
#include "plot/heat.h"
#include "plot/plot.h"
#include "sound/mel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 1000
#define CURVES 360     /* pixels, of the plot of curves */
#define STRIP 256      /* of the mel picture */
#define EDGE 32        /* above it: the title */
#define LONG 600       /* seconds from which time is in minutes */
#define TOP_HZ 22050.0 /* of the mel picture */

enum { INK = 0x222222 };

/* --- the mel picture -------------------------------------------------------------------------- */
/* Adds one window's levels to the columns of the strip that it covers: sum [STRIP][width], each
 * the mean over the window's columns that fall into it. */
static void add_window(const chl_heard *h, int64_t w, int width, double *sum, int *windows) {
    const chl_heard_window *about = &h->window[w];
    const uint8_t *picture = h->picture + w * h->rows * h->columns;
    const double second = h->seconds / width, column = CHL_HEARD_SECONDS / h->columns;
    for (int x = 0; x < width; x++) {
        const double from = x * second - about->start, to = from + second;
        if (from + second / 2 < 0 || from + second / 2 > about->end - about->start) continue;
        const int first = (int)fmin(fmax(from / column, 0), h->columns - 1);
        const int last = (int)fmin(fmax(ceil(to / column) - 1, first), h->columns - 1);
        windows[x]++;
        for (int y = 0; y < STRIP; y++) {
            const uint8_t *row = picture + (int64_t)(y * h->rows / STRIP) * h->columns;
            double total = 0;
            for (int c = first; c <= last; c++) total += row[c];
            sum[(int64_t)y * width + x] += total / (255.0 * (last - first + 1));
        }
    }
}

static chl_status draw_strip(const chl_heard *h, const chl_plot_area *area, chl_canvas *c) {
    const int width = area->right - area->left;
    double *sum = calloc((size_t)STRIP * (size_t)width, sizeof *sum);
    int *windows = calloc((size_t)width, sizeof *windows);
    if (!sum || !windows) {
        free(sum);
        free(windows);
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a mel picture");
    }
    for (int64_t w = 0; w < h->count; w++) add_window(h, w, width, sum, windows);
    for (int y = 0; y < STRIP; y++)
        for (int x = 0; x < width; x++)
            chl_canvas_fill(c, area->left + x, EDGE + STRIP - 1 - y, 1, 1,
                            chl_heat(windows[x] ? sum[(int64_t)y * width + x] / windows[x] : 0));
    free(sum);
    free(windows);
    return CHL_OK;
}

static void draw_frequencies(const chl_plot_area *area, chl_canvas *c) {
    static const struct {
        double hz;
        const char *name;
    } ticks[] = {{500, "500 Hz"}, {1000, "1 kHz"}, {2000, "2 kHz"},
                 {4000, "4 kHz"}, {8000, "8 kHz"}, {16000, "16 kHz"}};
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        const int y = EDGE + STRIP -
                      (int)lround(STRIP * chl_mel_from_hz(ticks[i].hz) / chl_mel_from_hz(TOP_HZ));
        chl_canvas_fill(c, area->right, y, 5, 1, INK);
        chl_canvas_text(c, area->right + 10, y - 7, INK, ticks[i].name);
    }
}

/* --- the curves ------------------------------------------------------------------------------- */
/* Labels by their largest cosine, for a legend with the most important on top. */
static void choose(const chl_heard *h, int lines, int *chosen) {
    for (int i = 0; i < lines; i++) {
        double most = -INFINITY;
        chosen[i] = -1;
        for (int k = 0; k < h->labels; k++) {
            bool taken = false;
            for (int j = 0; j < i; j++) taken = taken || chosen[j] == k;
            if (!taken && chosen[i] < 0) chosen[i] = k; /* of silence, in their order */
            for (int64_t w = 0; w < h->count && !taken; w++) {
                const double score = (double)h->score[w * h->labels + k];
                if (score <= most || h->window[w].silent) continue;
                most = score;
                chosen[i] = k;
            }
        }
    }
}

/* A window's cosine is at its middle; the first and last reach to the ends. Silence has none. */
static void fill_curve(const chl_heard *h, int label, double unit, double *x, double *y) {
    for (int64_t w = 0; w < h->count; w++) {
        x[w + 1] = (h->window[w].start + h->window[w].end) / 2 / unit;
        y[w + 1] = h->window[w].silent ? (double)NAN : (double)h->score[w * h->labels + label];
    }
    x[0] = 0;
    y[0] = y[1];
    x[h->count + 1] = h->seconds / unit;
    y[h->count + 1] = y[h->count];
}

/* x [points], y [lines][points] */
static chl_status draw_curves(const chl_heard *h, double *x, double *y, chl_canvas *out,
                              chl_plot_area *area) {
    const bool limit = h->threshold != 0;
    const int64_t points = h->count + 2;
    const int most = CHL_PLOT_LINES - limit, lines = h->labels < most ? h->labels : most;
    const double unit = h->seconds >= LONG ? 60 : 1;
    int chosen[CHL_PLOT_LINES] = {0};
    chl_plot_line line[CHL_PLOT_LINES];
    const double ends[] = {0, h->seconds / unit}, limits[] = {h->threshold, h->threshold};
    choose(h, lines, chosen);
    for (int i = 0; i < lines; i++) {
        fill_curve(h, chosen[i], unit, x, y + i * points);
        line[i] = (chl_plot_line){h->label[chosen[i]], x, y + i * points, points};
    }
    if (limit) line[lines] = (chl_plot_line){"(threshold)", ends, limits, 2};
    const chl_plot plot = {.x_name = unit > 1 ? "minutes" : "seconds",
                           .y_name = "cosine with the label",
                           .gaps = true,
                           .lines = lines + limit,
                           .line = line};
    return chl_plot_draw_area(&plot, WIDTH, CURVES, out, area);
}

static chl_status join(const chl_heard *h, const char *title, const chl_canvas *curves,
                       const chl_plot_area *area, chl_canvas *out) {
    char text[WIDTH / 9];
    CHL_TRY(chl_canvas_new(WIDTH, EDGE + STRIP + CURVES, out));
    memcpy(out->rgb + 3 * (size_t)WIDTH * (EDGE + STRIP), curves->rgb, 3 * (size_t)WIDTH * CURVES);
    snprintf(text, sizeof text, "%s", title);
    chl_canvas_text(out, area->left, 10, INK, text);
    draw_frequencies(area, out);
    return draw_strip(h, area, out);
}

chl_status chl_heard_draw(const chl_heard *heard, const char *title, const char *path) {
    const size_t points = (size_t)heard->count + 2;
    double *numbers = malloc(sizeof *numbers * points * (CHL_PLOT_LINES + 1));
    if (!numbers) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its curves", path);
    chl_canvas curves = {0}, whole = {0};
    chl_plot_area area;
    chl_status status = draw_curves(heard, numbers, numbers + points, &curves, &area);
    if (status == CHL_OK) status = join(heard, title, &curves, &area, &whole);
    if (status == CHL_OK) status = chl_raster_write_png(path, whole.height, whole.width, whole.rgb);
    chl_canvas_free(&curves);
    chl_canvas_free(&whole);
    free(numbers);
    return status;
}
