#include "plot/canvas.h"
#include "io/picture.h"
#include "plot/font.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

chl_status chl_canvas_new(int width, int height, chl_canvas *out) {
    *out = (chl_canvas){.width = width, .height = height};
    const size_t bytes = 3 * (size_t)width * (size_t)height;
    out->rgb = malloc(bytes);
    if (!out->rgb)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for a plot of %d x %d", width, height);
    memset(out->rgb, 255, bytes);
    return CHL_OK;
}

void chl_canvas_free(chl_canvas *canvas) {
    free(canvas->rgb);
    canvas->rgb = NULL;
}

/* `share` of the pixel in this colour, in [0, 1]. */
static void blend(chl_canvas *c, int x, int y, uint32_t colour, double share) {
    if (x < 0 || y < 0 || x >= c->width || y >= c->height) return;
    uint8_t *pixel = c->rgb + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
    for (int i = 0; i < 3; i++) {
        const double goal = (double)(colour >> (16 - 8 * i) & 255);
        pixel[i] = (uint8_t)lround(pixel[i] + share * (goal - pixel[i]));
    }
}

static double clamp(double x, double min, double max) {
    return fmin(fmax(x, min), max);
}

/* Of a point from the segment a-b. */
static double distance(double x, double y, double ax, double ay, double bx, double by) {
    const double dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
    const double at = length > 0 ? clamp(((x - ax) * dx + (y - ay) * dy) / length, 0, 1) : 0;
    return hypot(x - ax - at * dx, y - ay - at * dy);
}

void chl_canvas_line(chl_canvas *c, double x0, double y0, double x1, double y1, double thickness,
                     uint32_t colour) {
    const double reach = thickness / 2 + 1;
    const int left = (int)clamp(fmin(x0, x1) - reach, 0, c->width);
    const int right = (int)clamp(fmax(x0, x1) + reach + 1, 0, c->width);
    const int top = (int)clamp(fmin(y0, y1) - reach, 0, c->height);
    const int bottom = (int)clamp(fmax(y0, y1) + reach + 1, 0, c->height);
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            const double off = distance(x + 0.5, y + 0.5, x0, y0, x1, y1);
            const double share = clamp(thickness / 2 + 0.5 - off, 0, 1);
            if (share > 0) blend(c, x, y, colour, share);
        }
}

void chl_canvas_fill(chl_canvas *c, int x, int y, int width, int height, uint32_t colour) {
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++) blend(c, column, row, colour, 1);
}

/* --- letters ---------------------------------------------------------------------------------- */
static const uint16_t *glyph_of(char letter) {
    const int index = letter - ' ';
    return chl_font[index >= 0 && index < CHL_FONT_GLYPHS ? index : '?' - ' '];
}

static bool inked(const uint16_t *glyph, int x, int y) {
    return glyph[y] >> (CHL_FONT_WIDTH - 1 - x) & 1;
}

int chl_text_width(const char *text) {
    return CHL_FONT_WIDTH * (int)strlen(text);
}

void chl_canvas_text(chl_canvas *c, int x, int y, uint32_t colour, const char *text) {
    for (; *text; text++, x += CHL_FONT_WIDTH)
        for (int row = 0; row < CHL_FONT_HEIGHT; row++)
            for (int column = 0; column < CHL_FONT_WIDTH; column++)
                if (inked(glyph_of(*text), column, row)) blend(c, x + column, y + row, colour, 1);
}

void chl_canvas_text_up(chl_canvas *c, int x, int y, uint32_t colour, const char *text) {
    for (; *text; text++, y -= CHL_FONT_WIDTH)
        for (int row = 0; row < CHL_FONT_HEIGHT; row++)
            for (int column = 0; column < CHL_FONT_WIDTH; column++)
                if (inked(glyph_of(*text), column, row)) blend(c, x + row, y - column, colour, 1);
}

chl_status chl_canvas_write(chl_canvas *canvas, const char *path) {
    const chl_status status =
        chl_raster_write_png(path, canvas->height, canvas->width, canvas->rgb);
    chl_canvas_free(canvas);
    return status;
}
