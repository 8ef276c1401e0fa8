#include "plot/bars.h"
#include "plot/font.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP 8
#define ROW (CHL_FONT_HEIGHT + 4)
#define WIDTH 900
#define LETTERS 32 /* of a name, at most */

enum { INK = 0x222222, FULL = 0x0072b2, REST = 0x999999 };

static int by_count(const void *a, const void *b) {
    const chl_bar *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void draw_row(chl_canvas *canvas, int row, const char *name, int64_t count, int64_t most,
                     uint32_t colour) {
    char text[LETTERS + 1], number[32];
    const int left = 2 * GAP + LETTERS * CHL_FONT_WIDTH, y = 3 * GAP + (row + 1) * ROW;
    snprintf(text, sizeof text, "%s", name);
    snprintf(number, sizeof number, "%" PRId64, count);
    const int room = WIDTH - left - 3 * GAP - 12 * CHL_FONT_WIDTH;
    const int width = most > 0 ? (int)((double)room * (double)count / (double)most + 0.5) : 0;
    chl_canvas_text(canvas, left - GAP - chl_text_width(text), y, INK, text);
    chl_canvas_fill(canvas, left, y, width > 0 || count == 0 ? width : 1, CHL_FONT_HEIGHT, colour);
    chl_canvas_text(canvas, left + width + GAP, y, INK, number);
}

chl_status chl_bars_draw(const chl_bars *bars, chl_canvas *out) {
    const int shown = bars->count > CHL_BARS_SHOWN ? CHL_BARS_SHOWN - 1 : bars->count;
    const int rows = shown + (shown < bars->count);
    int64_t rest = 0;
    char name[32];
    qsort(bars->bar, (size_t)bars->count, sizeof *bars->bar, by_count);
    CHL_TRY(chl_canvas_new(WIDTH, 5 * GAP + (rows + 1) * ROW, out));
    if (bars->title) chl_canvas_text(out, GAP, GAP, INK, bars->title);
    for (int i = shown; i < bars->count; i++) rest += bars->bar[i].count;
    const int64_t largest = shown > 0 ? bars->bar[0].count : 0,
                  most = rest > largest ? rest : largest;
    for (int i = 0; i < shown; i++)
        draw_row(out, i, bars->bar[i].name, bars->bar[i].count, most, FULL);
    if (rows > shown) {
        snprintf(name, sizeof name, "%d others", bars->count - shown);
        draw_row(out, shown, name, rest, most, REST);
    }
    return CHL_OK;
}

chl_status chl_bars_write(const chl_bars *bars, const char *path) {
    chl_canvas canvas;
    CHL_TRY(chl_bars_draw(bars, &canvas));
    return chl_canvas_write(&canvas, path);
}
