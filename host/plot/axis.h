/* One axis of a plot: its range, and where its ticks are; within this room. */
#ifndef CHL_PLOT_AXIS_H
#define CHL_PLOT_AXIS_H
#include <stdbool.h>
#include <stdint.h>

#define CHL_AXIS_TICKS 24

typedef struct chl_axis {
    bool logarithmic;
    double min, max; /* of the drawn range; its logarithms to base 10 where logarithmic */
    int ticks;
    double tick[CHL_AXIS_TICKS]; /* as min and max */
} chl_axis;

/* Nothing yet. */
chl_axis chl_axis_new(bool logarithmic);
/* Position of a value on the axis; NaN for one that has none. */
double chl_axis_of(const chl_axis *axis, double value);
/* Extends the range to hold these values. */
void chl_axis_hold(chl_axis *axis, int64_t count, const double *value);
/* Rounds the range and chooses at most `max` ticks: 1, 2 or 5 times a power of ten apart. `tight`:
 * the range stays. */
void chl_axis_finish(chl_axis *axis, int max, bool tight);
/* The label of a tick. */
void chl_axis_label(const chl_axis *axis, int tick, char *text, int size);
#endif
