/* The figure of an explained edit: pictures above, the sound in the middle, rows below. */
#include "eval/explain.h"
#include "io/picture.h"
#include "plot/heat.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PANEL 256
#define EDGE 28 /* above a panel: its name */
#define GAP 16
#define WIDTH (3 * PANEL + 4 * GAP)
#define CELL 24 /* of the table of rows, high */

enum { INK = 0x222222 };

static uint32_t colour_of_pixel(const float *picture, int at) {
    uint32_t colour = 0;
    for (int c = 0; c < 3; c++) {
        const double level = fmin(fmax((double)picture[3 * at + c], -1), 1);
        colour = colour << 8 | (uint32_t)lround((level + 1) * 127.5);
    }
    return colour;
}

static void draw_picture(const chl_explained *x, const float *picture, const char *name, int left,
                         chl_canvas *c) {
    chl_canvas_text(c, left, 8, INK, name);
    for (int i = 0; i < PANEL; i++)
        for (int j = 0; j < PANEL; j++)
            chl_canvas_fill(
                c, left + j, EDGE + i, 1, 1,
                colour_of_pixel(picture, i * x->side / PANEL * x->side + j * x->side / PANEL));
}

/* A mean over the colours, against the largest. */
static double change_at(const chl_explained *x, int at) {
    double sum = 0;
    for (int c = 0; c < 3; c++)
        sum += fabs((double)x->after[3 * at + c] - (double)x->before[3 * at + c]);
    return sum / 3;
}

static void draw_change(const chl_explained *x, int left, chl_canvas *c) {
    double most = 1e-6;
    for (int i = 0; i < x->side * x->side; i++) most = fmax(most, change_at(x, i));
    chl_canvas_text(c, left, 8, INK, "change");
    for (int i = 0; i < PANEL; i++)
        for (int j = 0; j < PANEL; j++)
            chl_canvas_fill(
                c, left + j, EDGE + i, 1, 1,
                chl_heat(change_at(x, i * x->side / PANEL * x->side + j * x->side / PANEL) / most));
}

static void draw_sound(const chl_explained *x, int left, int top, int width, chl_canvas *c) {
    chl_canvas_text(c, left, top + 8, INK, "the sound");
    for (int i = 0; i < PANEL; i++)
        for (int j = 0; j < width; j++) {
            const int band = x->bands - 1 - i * x->bands / PANEL, column = j * x->columns / width;
            chl_canvas_fill(c, left + j, top + EDGE + i, 1, 1,
                            chl_heat((double)x->mel[band * x->columns + column]));
        }
}

static void draw_patches(const chl_explained *x, int left, int top, int width, chl_canvas *c) {
    char name[64];
    double most = 1e-12;
    for (int i = 0; i < CHL_PATCHES; i++) most = fmax(most, fabs(x->patch_share[i]));
    snprintf(name, sizeof name, "what brought it (occlusion agrees: %.2f)", x->sound_agrees);
    chl_canvas_text(c, left, top + 8, INK, name);
    for (int i = 0; i < PANEL; i++)
        for (int j = 0; j < width; j++) {
            const int patch =
                (CHL_PATCHES_SIDE - 1 - i * CHL_PATCHES_SIDE / PANEL) * CHL_PATCHES_SIDE +
                j * CHL_PATCHES_SIDE / width;
            chl_canvas_fill(c, left + j, top + EDGE + i, 1, 1,
                            chl_two_sided_heat(x->patch_share[patch] / most));
        }
}

/* A line per row of the code: a cell per part, then the row's share as a bar. */
static void draw_rows(const chl_explained *x, int top, chl_canvas *c) {
    char name[96];
    double most = 1e-12, longest = 1e-12;
    const int cell = 2 * PANEL / CHL_PARTS, bars = GAP + 2 * PANEL + 2 * GAP;
    for (int i = 0; i < x->rows * CHL_PARTS; i++) most = fmax(most, fabs(x->by_row[i]));
    for (int i = 0; i < x->rows; i++) longest = fmax(longest, fabs(x->row_share[i]));
    snprintf(name, sizeof name,
             "rows of the code, by parts of the picture (occlusion agrees: %.2f)", x->rows_agree);
    chl_canvas_text(c, GAP, top + 8, INK, name);
    for (int row = 0; row < x->rows; row++) {
        const int y = top + EDGE + row * CELL;
        for (int part = 0; part < CHL_PARTS; part++)
            chl_canvas_fill(c, GAP + part * cell, y, cell - 1, CELL - 1,
                            chl_two_sided_heat(x->by_row[row * CHL_PARTS + part] / most));
        const int length = (int)lround(fabs(x->row_share[row]) / longest * (PANEL - 100));
        chl_canvas_fill(c, bars, y + 4, length, CELL - 9,
                        x->row_share[row] < 0 ? 0x2166ac : 0xb2182b);
        snprintf(name, sizeof name, "%d: %.0f %%", row + 1, 100 * x->row_share[row]);
        chl_canvas_text(c, bars + length + 6, y + 4, INK, name);
    }
}

chl_status chl_explained_draw(const chl_explained *x, const char *path) {
    const int middle = EDGE + PANEL + GAP, below = middle + EDGE + PANEL + GAP;
    const int width = (WIDTH - 3 * GAP) / 2;
    chl_canvas c;
    CHL_TRY(chl_canvas_new(WIDTH, below + EDGE + x->rows * CELL + GAP, &c));
    draw_picture(x, x->before, "source", GAP, &c);
    draw_picture(x, x->after, "edited", 2 * GAP + PANEL, &c);
    draw_change(x, 3 * GAP + 2 * PANEL, &c);
    draw_sound(x, GAP, middle, width, &c);
    draw_patches(x, 2 * GAP + width, middle, width, &c);
    draw_rows(x, below, &c);
    const chl_status status = chl_raster_write_png(path, c.height, c.width, c.rgb);
    chl_canvas_free(&c);
    return status;
}
