/* A confusion matrix as a picture: a row per true label, a column per named one, each cell with its
 * count and the darker the larger its share of the row; the share named right at the right end.
 *
 *     const chl_matrix matrix = {.title = "ESC-10", .labels = 10, .label = names, .count = counts};
 *     CHL_TRY(chl_matrix_write(&matrix, "confusion.png")); */
#ifndef CHL_PLOT_MATRIX_H
#define CHL_PLOT_MATRIX_H
#include "plot/canvas.h"

#define CHL_MATRIX_LABELS 512 /* at most: the picture stays below CHL_RASTER_MAX_SIDE */

typedef struct chl_matrix {
    const char *title; /* may be NULL */
    int labels;        /* 1 ... CHL_MATRIX_LABELS */
    const char *const *label;
    const int64_t *count; /* [true][named], >= 0 */
} chl_matrix;

/* The size follows from labels and counts. Long labels are cut. */
chl_status chl_matrix_draw(const chl_matrix *matrix, chl_canvas *out);
/* The same into a PNG; the file appears complete or not at all. */
chl_status chl_matrix_write(const chl_matrix *matrix, const char *path);
#endif
