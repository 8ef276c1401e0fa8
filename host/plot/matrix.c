#include "plot/matrix.h"
#include "io/picture.h"
#include "plot/font.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define GAP 8         /* pixels between parts */
#define MIN_CELL 24   /* pixels */
#define LETTERS 32    /* of a label, at most */
#define SHARE "100 %" /* the widest text of the last column */

enum { INK = 0x222222, GRID = 0xd8d8d8, PAPER = 0xffffff, FULL = 0x0072b2 };

typedef struct sheet {
    chl_canvas *canvas;
    const chl_matrix *matrix;
    int cell, left, top, side; /* of the cells: the first one's corner, all of them */
    char text[LETTERS + 1];
} sheet;

static const char *label_of(sheet *s, int index) {
    snprintf(s->text, sizeof s->text, "%s", s->matrix->label[index]);
    return s->text;
}

static int64_t sum_of_row(const chl_matrix *m, int row) {
    int64_t sum = 0;
    for (int k = 0; k < m->labels; k++) sum += m->count[(int64_t)row * m->labels + k];
    return sum;
}

static void lay_out(sheet *s, int *width, int *height) {
    const chl_matrix *m = s->matrix;
    int64_t most = 0;
    int widest = 0;
    char text[32];
    for (int i = 0; i < m->labels; i++)
        if (chl_text_width(label_of(s, i)) > widest) widest = chl_text_width(label_of(s, i));
    for (int64_t i = 0; i < (int64_t)m->labels * m->labels; i++)
        if (m->count[i] > most) most = m->count[i];
    snprintf(text, sizeof text, "%" PRId64, most);
    s->cell = chl_text_width(text) + GAP > MIN_CELL ? chl_text_width(text) + GAP : MIN_CELL;
    s->side = s->cell * m->labels;
    s->left = 3 * GAP + CHL_FONT_HEIGHT + widest;
    s->top = 4 * GAP + 2 * CHL_FONT_HEIGHT + widest;
    *width = s->left + s->side + 2 * GAP + chl_text_width(SHARE);
    *height = s->top + s->side + 2 * GAP;
    const int title = m->title ? chl_text_width(m->title) + 2 * GAP : 0;
    if (title > *width) *width = title;
}

static uint32_t mix(double share) {
    uint32_t colour = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        const double from = PAPER >> shift & 255, to = FULL >> shift & 255;
        colour |= (uint32_t)lround(from + share * (to - from)) << shift;
    }
    return colour;
}

static void draw_row(const sheet *s, int row) {
    const chl_matrix *m = s->matrix;
    const int64_t sum = sum_of_row(m, row);
    const int y = s->top + row * s->cell, middle = y + (s->cell - CHL_FONT_HEIGHT) / 2;
    char text[32];
    for (int k = 0; k < m->labels; k++) {
        const int64_t count = m->count[(int64_t)row * m->labels + k];
        const int x = s->left + k * s->cell;
        const double share = sum > 0 ? (double)count / (double)sum : 0;
        chl_canvas_fill(s->canvas, x, y, s->cell, s->cell, mix(share));
        if (count == 0) continue;
        snprintf(text, sizeof text, "%" PRId64, count);
        chl_canvas_text(s->canvas, x + (s->cell - chl_text_width(text)) / 2, middle,
                        share > 0.5 ? PAPER : INK, text);
    }
    if (sum == 0) return;
    snprintf(text, sizeof text, "%3.0f %%",
             100 * (double)m->count[(int64_t)row * m->labels + row] / (double)sum);
    chl_canvas_text(s->canvas, s->left + s->side + GAP, middle, INK, text);
}

static void draw_labels(sheet *s) {
    chl_canvas *c = s->canvas;
    for (int i = 0; i < s->matrix->labels; i++) {
        const int off = i * s->cell + (s->cell - CHL_FONT_HEIGHT) / 2;
        const char *text = label_of(s, i);
        chl_canvas_text(c, s->left - GAP - chl_text_width(text), s->top + off, INK, text);
        chl_canvas_text_up(c, s->left + off, s->top - GAP, INK, text);
    }
    if (s->matrix->title) chl_canvas_text(c, GAP, GAP, INK, s->matrix->title);
    chl_canvas_text(c, s->left + (s->side - chl_text_width("named")) / 2, 2 * GAP + CHL_FONT_HEIGHT,
                    INK, "named");
    chl_canvas_text_up(c, GAP, s->top + (s->side + chl_text_width("true")) / 2, INK, "true");
}

static void draw_grid(const sheet *s) {
    for (int i = 0; i <= s->matrix->labels; i++) {
        chl_canvas_fill(s->canvas, s->left + i * s->cell, s->top, 1, s->side + 1, GRID);
        chl_canvas_fill(s->canvas, s->left, s->top + i * s->cell, s->side + 1, 1, GRID);
    }
}

chl_status chl_matrix_draw(const chl_matrix *matrix, chl_canvas *out) {
    if (matrix->labels < 1 || matrix->labels > CHL_MATRIX_LABELS)
        return chl_fail(CHL_ERR_ARGUMENT, "a confusion matrix must have 1 to %d labels, got %d",
                        CHL_MATRIX_LABELS, matrix->labels);
    sheet s = {.canvas = out, .matrix = matrix};
    int width, height;
    lay_out(&s, &width, &height);
    if (width > CHL_RASTER_MAX_SIDE || height > CHL_RASTER_MAX_SIDE)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "a picture of a confusion matrix must have at most %d pixels a side, %d "
                        "labels need %d x %d",
                        CHL_RASTER_MAX_SIDE, matrix->labels, width, height);
    CHL_TRY(chl_canvas_new(width, height, out));
    for (int row = 0; row < matrix->labels; row++) draw_row(&s, row);
    draw_grid(&s);
    draw_labels(&s);
    return CHL_OK;
}

chl_status chl_matrix_write(const chl_matrix *matrix, const char *path) {
    chl_canvas canvas;
    CHL_TRY(chl_matrix_draw(matrix, &canvas));
    return chl_canvas_write(&canvas, path);
}
