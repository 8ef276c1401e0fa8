/* Where a cascade's windows pass in a grey picture, as OpenCV's detector looks for them: at sizes that
 * grow by a factor, at every pixel (every second while the picture is shrunk by less than two), and
 * overlapping windows that are alike are one find.
 *
 *     chl_grey grey;
 *     CHL_TRY(chl_grey_of(&photo, &grey));
 *     const chl_haar_search search = {.factor = 1.1, .neighbours = 3};
 *     CHL_TRY(chl_haar_detect(cascade, &grey, &search, &finds, &count));
 *     free(finds);
 *     chl_grey_free(&grey); */
#ifndef CHL_IO_HAAR_DETECT_H
#define CHL_IO_HAAR_DETECT_H
#include "io/haar_cascade.h"
#include "io/picture.h"

typedef struct chl_grey {
    int height, width;
    uint8_t *at; /* [height][width] */
} chl_grey;

/* 0.299 R + 0.587 G + 0.114 B, rounded. */
chl_status chl_grey_of(const chl_raster *picture, chl_grey *out);
/* The box x, y, width, height of it, which may reach beyond its edges (they are repeated), at another
 * size: linear between the nearest pixels, or where it gets smaller by more than two, the mean of
 * squares first. */
chl_status chl_grey_scale(const chl_grey *from, const double box[4], int height, int width,
                          chl_grey *out);
void chl_grey_free(chl_grey *grey);

typedef struct chl_haar_search {
    double factor;  /* of one size to the next, > 1 */
    int neighbours; /* other windows that a window needs around it, at least */
    int least;      /* pixels of a window's width at least; 0: the cascade's */
    int most;       /* at most; 0: the picture's */
} chl_haar_search;

typedef struct chl_haar_find {
    double x, y, width, height; /* the mean of its windows */
    int windows;
} chl_haar_find;

/* *finds is NULL where there are none. */
chl_status chl_haar_detect(const chl_haar_cascade *cascade, const chl_grey *grey,
                           const chl_haar_search *search, chl_haar_find **finds, int *count);
#endif
