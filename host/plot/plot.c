#include "plot/plot.h"
#include "io/picture.h"
#include "plot/axis.h"
#include "plot/font.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MIN_WIDTH 320
#define MIN_HEIGHT 200
#define GAP 8         /* pixels between parts */
#define TICK 5        /* pixels of a tick's mark */
#define MANY 200      /* points from which a line is drawn with means */
#define MEANS 100     /* of such a line */
#define THICKNESS 1.8 /* pixels */
#define DOT 7         /* pixels across, of a point */
#define SAMPLE 24     /* pixels of a line in the legend */
#define MIN_AXES 100  /* pixels between left and right: longer names of lines are cut */

enum { INK = 0x222222, GRID = 0xe4e4e4 };
/* Distinct also for most who see few colours: Okabe & Ito 2008 without black and yellow, and darker
 * ones. */
static const uint32_t colour[CHL_PLOT_LINES] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00,
                                                0x56b4e9, 0x7f3c8d, 0x666666, 0x8b4513, 0x004d40};

typedef struct frame {
    chl_canvas *canvas;
    chl_axis x, y;
    int left, right, top, bottom; /* of the axes, pixels */
    bool gaps;
    int letters; /* of a name in the legend, at most */
} frame;

/* --- places ----------------------------------------------------------------------------------- */
static double column(const frame *f, double at) {
    return f->left + (at - f->x.min) / (f->x.max - f->x.min) * (f->right - f->left);
}
static double row(const frame *f, double at) {
    return f->bottom - (at - f->y.min) / (f->y.max - f->y.min) * (f->bottom - f->top);
}

static int widest_label(const chl_axis *axis) {
    char text[32];
    int widest = 0;
    for (int i = 0; i < axis->ticks; i++) {
        chl_axis_label(axis, i, text, sizeof text);
        if (chl_text_width(text) > widest) widest = chl_text_width(text);
    }
    return widest;
}

static int widest_name(const chl_plot *plot) {
    int widest = 0;
    for (int i = 0; i < plot->lines; i++)
        if (chl_text_width(plot->line[i].name) > widest)
            widest = chl_text_width(plot->line[i].name);
    return widest;
}

/* CHL_ERR_ARGUMENT where the labels leave no room for the axes. */
static chl_status lay_out(frame *f, const chl_plot *plot) {
    f->x = chl_axis_new(plot->log_x);
    f->y = chl_axis_new(plot->log_y);
    for (int i = 0; i < plot->lines; i++) {
        chl_axis_hold(&f->x, plot->line[i].count, plot->line[i].x);
        chl_axis_hold(&f->y, plot->line[i].count, plot->line[i].y);
    }
    f->top = 2 * GAP + (plot->title ? CHL_FONT_HEIGHT : 0);
    f->bottom = f->canvas->height - 3 * GAP - 2 * CHL_FONT_HEIGHT - TICK;
    chl_axis_finish(&f->y, (f->bottom - f->top) / 50, false);
    f->left = 3 * GAP + CHL_FONT_HEIGHT + widest_label(&f->y) + TICK;
    const int end = f->canvas->width - 4 * GAP - SAMPLE, room = end - f->left - MIN_AXES;
    if (room < 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "a plot with these numbers must be at least %d pixels wide, got %d",
                        f->canvas->width - room, f->canvas->width);
    const int wanted = widest_name(plot) / CHL_FONT_WIDTH;
    f->letters = wanted < room / CHL_FONT_WIDTH ? wanted : room / CHL_FONT_WIDTH;
    f->right = end - f->letters * CHL_FONT_WIDTH;
    chl_axis_finish(&f->x, (f->right - f->left) / 90, !plot->points); /* no dot on the border */
    return CHL_OK;
}

/* --- axes ------------------------------------------------------------------------------------- */
static void draw_x_ticks(const frame *f) {
    char text[32];
    for (int i = 0; i < f->x.ticks; i++) {
        const int x = (int)lround(column(f, f->x.tick[i]));
        chl_canvas_fill(f->canvas, x, f->top, 1, f->bottom - f->top, GRID);
        chl_canvas_fill(f->canvas, x, f->bottom, 1, TICK, INK);
        chl_axis_label(&f->x, i, text, sizeof text);
        chl_canvas_text(f->canvas, x - chl_text_width(text) / 2, f->bottom + TICK + GAP / 2, INK,
                        text);
    }
}

static void draw_y_ticks(const frame *f) {
    char text[32];
    for (int i = 0; i < f->y.ticks; i++) {
        const int y = (int)lround(row(f, f->y.tick[i]));
        chl_canvas_fill(f->canvas, f->left, y, f->right - f->left, 1, GRID);
        chl_canvas_fill(f->canvas, f->left - TICK, y, TICK, 1, INK);
        chl_axis_label(&f->y, i, text, sizeof text);
        chl_canvas_text(f->canvas, f->left - TICK - GAP / 2 - chl_text_width(text),
                        y - CHL_FONT_HEIGHT / 2, INK, text);
    }
}

static void draw_axes(const frame *f, const chl_plot *plot) {
    chl_canvas *c = f->canvas;
    const int middle = (f->left + f->right) / 2, height = f->bottom - f->top;
    draw_x_ticks(f);
    draw_y_ticks(f);
    chl_canvas_fill(c, f->left, f->bottom, f->right - f->left + 1, 1, INK);
    chl_canvas_fill(c, f->left, f->top, 1, height, INK);
    if (plot->title)
        chl_canvas_text(c, middle - chl_text_width(plot->title) / 2, GAP, INK, plot->title);
    if (plot->x_name)
        chl_canvas_text(c, middle - chl_text_width(plot->x_name) / 2,
                        c->height - GAP - CHL_FONT_HEIGHT, INK, plot->x_name);
    if (plot->y_name)
        chl_canvas_text_up(c, GAP, f->top + (height + chl_text_width(plot->y_name)) / 2, INK,
                           plot->y_name);
}

/* --- lines ------------------------------------------------------------------------------------ */
/* Two thirds of the way to the paper's white. */
static uint32_t lighter(uint32_t from) {
    uint32_t to = 0;
    for (int shift = 0; shift < 24; shift += 8)
        to |= ((from >> shift & 255) + 2 * 255) / 3 << shift;
    return to;
}

/* Means of so many neighbours at a time, over x and over y on the axes. */
static void draw_line(const frame *f, const chl_plot_line *line, int64_t neighbours,
                      uint32_t colour_of, double thickness) {
    double last_x = NAN, last_y = NAN;
    for (int64_t i = 0; i < line->count; i += neighbours) {
        double x = 0, y = 0;
        int64_t count = 0;
        for (int64_t k = i; k < i + neighbours && k < line->count; k++) {
            const double at = chl_axis_of(&f->x, line->x[k]), high = chl_axis_of(&f->y, line->y[k]);
            if (isnan(at) || isnan(high)) continue;
            x += at;
            y += high;
            count++;
        }
        if (count == 0) {
            if (f->gaps) last_x = last_y = NAN;
            continue;
        }
        x = column(f, x / (double)count) + 0.5;
        y = row(f, y / (double)count) + 0.5;
        chl_canvas_line(f->canvas, isnan(last_x) ? x : last_x, isnan(last_y) ? y : last_y, x, y,
                        thickness, colour_of);
        last_x = x;
        last_y = y;
    }
}

static void draw_points(const frame *f, const chl_plot *plot) {
    for (int i = 0; i < plot->lines; i++) {
        const chl_plot_line *line = &plot->line[i];
        for (int64_t k = 0; k < line->count; k++) {
            const double x = chl_axis_of(&f->x, line->x[k]), y = chl_axis_of(&f->y, line->y[k]);
            if (isnan(x) || isnan(y)) continue;
            chl_canvas_line(f->canvas, column(f, x) + 0.5, row(f, y) + 0.5, column(f, x) + 0.5,
                            row(f, y) + 0.5, DOT, colour[i]);
        }
    }
}

static void draw_lines(const frame *f, const chl_plot *plot) {
    for (int i = 0; i < plot->lines; i++)
        if (plot->line[i].count >= MANY) {
            /* no more points than there are pixels to see them in */
            const int64_t each = plot->line[i].count / (2 * (f->right - f->left)) + 1;
            draw_line(f, &plot->line[i], each, lighter(colour[i]), 1);
        }
    for (int i = 0; i < plot->lines; i++) {
        const int64_t count = plot->line[i].count;
        draw_line(f, &plot->line[i], count < MANY ? 1 : (count + MEANS - 1) / MEANS, colour[i],
                  THICKNESS);
    }
}

/* --- the legend ------------------------------------------------------------------------------- */
/* Beside the axes, where it hides nothing. */
static void draw_legend(const frame *f, const chl_plot *plot) {
    char name[CHL_RASTER_MAX_SIDE / CHL_FONT_WIDTH + 1];
    const int left = f->right + 2 * GAP;
    for (int i = 0; i < plot->lines; i++) {
        const int y = f->top + i * (CHL_FONT_HEIGHT + GAP / 2);
        const double middle = y + 0.5 * CHL_FONT_HEIGHT + 1;
        chl_canvas_line(f->canvas, left, middle, left + SAMPLE, middle, 3, colour[i]);
        snprintf(name, sizeof name, "%.*s", f->letters, plot->line[i].name);
        chl_canvas_text(f->canvas, left + SAMPLE + GAP, y, INK, name);
    }
}

chl_status chl_plot_draw_area(const chl_plot *plot, int width, int height, chl_canvas *out,
                              chl_plot_area *area) {
    if (width < MIN_WIDTH || height < MIN_HEIGHT || width > CHL_RASTER_MAX_SIDE ||
        height > CHL_RASTER_MAX_SIDE)
        return chl_fail(CHL_ERR_ARGUMENT, "a plot must have %d x %d to %d x %d pixels, got %d x %d",
                        MIN_WIDTH, MIN_HEIGHT, CHL_RASTER_MAX_SIDE, CHL_RASTER_MAX_SIDE, width,
                        height);
    if (plot->lines < 1 || plot->lines > CHL_PLOT_LINES)
        return chl_fail(CHL_ERR_ARGUMENT, "a plot must have 1 to %d lines, got %d", CHL_PLOT_LINES,
                        plot->lines);
    CHL_TRY(chl_canvas_new(width, height, out));
    frame f = {.canvas = out, .gaps = plot->gaps};
    const chl_status status = lay_out(&f, plot);
    if (status != CHL_OK) {
        chl_canvas_free(out);
        return status;
    }
    draw_axes(&f, plot);
    if (plot->points)
        draw_points(&f, plot);
    else
        draw_lines(&f, plot);
    draw_legend(&f, plot);
    *area = (chl_plot_area){f.left, f.right, f.top, f.bottom};
    return CHL_OK;
}

chl_status chl_plot_draw(const chl_plot *plot, int width, int height, chl_canvas *out) {
    chl_plot_area area;
    return chl_plot_draw_area(plot, width, height, out, &area);
}

chl_status chl_plot_write(const chl_plot *plot, int width, int height, const char *path) {
    chl_canvas canvas;
    CHL_TRY(chl_plot_draw(plot, width, height, &canvas));
    return chl_canvas_write(&canvas, path);
}
