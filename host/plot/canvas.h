/* A picture to draw on: lines, rectangles and letters in colours, as 8-bit RGB, top row first.
 *
 *     chl_canvas canvas;
 *     CHL_TRY(chl_canvas_new(960, 540, &canvas));
 *     chl_canvas_line(&canvas, 10, 10, 200, 90, 2, 0x1f77b4);
 *     chl_canvas_text(&canvas, 10, 120, 0x000000, "loss");
 *     CHL_TRY(chl_canvas_write(&canvas, "p.png"));
 *
 * Coordinates are in pixels from the upper left corner, pixel (0, 0) covering [0, 1) x [0, 1); what
 * lies outside is cut off. A colour is 0xRRGGBB. */
#ifndef CHL_PLOT_CANVAS_H
#define CHL_PLOT_CANVAS_H
#include "base/status.h"
#include <stdint.h>

typedef struct chl_canvas {
    int width, height;
    uint8_t *rgb; /* [height][width][3] */
} chl_canvas;

/* White. */
chl_status chl_canvas_new(int width, int height, chl_canvas *out);
void chl_canvas_free(chl_canvas *canvas);
/* A PNG of it; frees the canvas, also where that fails. */
chl_status chl_canvas_write(chl_canvas *canvas, const char *path);
/* A straight line with round ends, smoothed at its borders; 0 < thickness. */
void chl_canvas_line(chl_canvas *canvas, double x0, double y0, double x1, double y1,
                     double thickness, uint32_t colour);
/* A filled rectangle of whole pixels. */
void chl_canvas_fill(chl_canvas *canvas, int x, int y, int width, int height, uint32_t colour);
/* Letters of 9 x 15 pixels, x, y the upper left corner of the first; what is not ASCII is drawn as a
 * question mark. */
void chl_canvas_text(chl_canvas *canvas, int x, int y, uint32_t colour, const char *text);
/* The same turned to read upwards; x, y the lower left corner of the first letter. */
void chl_canvas_text_up(chl_canvas *canvas, int x, int y, uint32_t colour, const char *text);
/* Pixels that a text is wide. */
int chl_text_width(const char *text);
#endif
