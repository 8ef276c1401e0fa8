/* --png FILE: the roofline as a picture, for pages that run no script. Dots of one colour are kernels
 * of one name; where there are more names than colours, the last colour is that of all others. */
#include "kernel_results.h"
#include "plot/plot.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOF = 400, WIDTH = 1200, HEIGHT = 700 }; /* dots of the roof; pixels */

typedef struct roofline {
    chl_plot_line line[CHL_PLOT_LINES];
    double *x, *y; /* the lines' points, one after the other */
    int lines;
    int64_t used;
} roofline;

/* A kernel without FLOPs has no place in the plot. */
static bool has_point(const kernel_result *r) {
    return r->flops > 0 && r->bytes > 0;
}

static void add(roofline *of, chl_plot_line *line, double flop_per_byte, double flop_per_second) {
    of->x[of->used] = flop_per_byte;
    of->y[of->used++] = 1e-9 * flop_per_second;
    line->count++;
}

static chl_plot_line *begin(roofline *of, const char *name) {
    chl_plot_line *line = &of->line[of->lines++];
    *line = (chl_plot_line){name, of->x + of->used, of->y + of->used, 0};
    return line;
}

/* From a tenth of the least intensity, or of the ridge, to ten times the largest. */
static void add_roof(roofline *of, const kernel_report *report) {
    const double ridge = kernel_ridge(&report->roofs);
    double min = ridge, max = ridge;
    for (int i = 0; i < report->count; i++) {
        const kernel_result *r = &report->result[i];
        if (!has_point(r)) continue;
        min = fmin(min, r->flops / (double)r->bytes);
        max = fmax(max, r->flops / (double)r->bytes);
    }
    chl_plot_line *line = begin(of, "roof");
    for (int i = 0; i < ROOF; i++) {
        const double x = 0.1 * min * pow(100 * max / min, (double)i / (ROOF - 1));
        add(of, line, x, fmin(x * report->roofs.copy, report->roofs.arithmetic));
    }
}

static bool is_listed(const roofline *of, const char *name) {
    for (int i = 1; i < of->lines; i++)
        if (strcmp(of->line[i].name, name) == 0) return true;
    return false;
}

/* Those of the name, or, where it is NULL, of all that no line has. */
static void add_kernels(roofline *of, const kernel_report *report, const char *name) {
    chl_plot_line line = {.x = of->x + of->used, .y = of->y + of->used};
    for (int i = 0; i < report->count; i++) {
        const kernel_result *r = &report->result[i];
        if (has_point(r) && (name ? strcmp(r->name, name) == 0 : !is_listed(of, r->name)))
            add(of, &line, r->flops / (double)r->bytes, r->flops / r->spread.median);
    }
    line.name = name ? name : "others";
    if (line.count > 0) of->line[of->lines++] = line;
}

chl_status kernel_write_png(const kernel_report *report, const char *path) {
    char title[160];
    const size_t most = (size_t)report->count + ROOF;
    roofline of = {.x = malloc(most * sizeof *of.x), .y = malloc(most * sizeof *of.y)};
    chl_status status = CHL_ERR_MEMORY;
    if (of.x && of.y) {
        add_roof(&of, report);
        for (int i = 0; i < report->count && of.lines < CHL_PLOT_LINES - 1; i++)
            if (has_point(&report->result[i]) && !is_listed(&of, report->result[i].name))
                add_kernels(&of, report, report->result[i].name);
        add_kernels(&of, report, NULL);
        snprintf(title, sizeof title, "%s in %s, %d thread%s: %.0f GB/s, %.0f GFLOP/s",
                 report->device, report->precision, report->threads,
                 report->threads == 1 ? "" : "s", 1e-9 * report->roofs.copy,
                 1e-9 * report->roofs.arithmetic);
        const chl_plot plot = {.title = title,
                               .x_name = "FLOP per byte",
                               .y_name = "GFLOP/s",
                               .log_x = true,
                               .log_y = true,
                               .points = true,
                               .lines = of.lines,
                               .line = of.line};
        status = chl_plot_write(&plot, WIDTH, HEIGHT, path);
    } else {
        status = chl_fail(status, "out of memory for the picture");
    }
    free(of.x);
    free(of.y);
    return status;
}
