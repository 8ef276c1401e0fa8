/* The letters of plots: plot/font.c. */
#ifndef CHL_PLOT_FONT_H
#define CHL_PLOT_FONT_H
#include <stdint.h>

#define CHL_FONT_GLYPHS 95 /* from the space on */
#define CHL_FONT_WIDTH 9
#define CHL_FONT_HEIGHT 15

extern const uint16_t chl_font[CHL_FONT_GLYPHS][CHL_FONT_HEIGHT];
#endif
