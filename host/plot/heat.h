/* Numbers as colours. */
#ifndef CHL_PLOT_HEAT_H
#define CHL_PLOT_HEAT_H
#include "plot/canvas.h"

/* level in [0, 1]: from black over violet and orange to pale yellow, each lighter than the one before. */
uint32_t chl_heat(double level);
/* level in [-1, 1]: from blue over white to red. */
uint32_t chl_two_sided_heat(double level);
#endif
