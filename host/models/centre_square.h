/* The largest centred square of a picture, resized: what a data set and an edit's reference picture
 * go through, so that both see the same pixels. */
#ifndef CHL_MODELS_CENTRE_SQUARE_H
#define CHL_MODELS_CENTRE_SQUARE_H
#include "graph/graph.h"

/* pixels [height, width, 3] in [-1, 1] -> out [side, side, 3]: the longer axis loses as much at
 * both ends, then antialiased bicubic as PIL resizes. Bicubic overshoots at edges: the result is
 * clamped to [-1, 1]. A picture of that size already is copied. `device` does the resize. */
chl_status chl_centre_square(chl_device *device, int height, int width, const float *pixels,
                             int side, float *out);
#endif
