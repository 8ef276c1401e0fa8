#include "plot/axis.h"
#include <math.h>
#include <stdio.h>

chl_axis chl_axis_new(bool logarithmic) {
    return (chl_axis){.logarithmic = logarithmic, .min = INFINITY, .max = -INFINITY};
}

double chl_axis_of(const chl_axis *axis, double value) {
    if (!isfinite(value)) return NAN;
    if (!axis->logarithmic) return value;
    return value > 0 ? log10(value) : NAN;
}

void chl_axis_hold(chl_axis *axis, int64_t count, const double *value) {
    for (int64_t i = 0; i < count; i++) {
        const double at = chl_axis_of(axis, value[i]);
        axis->min = fmin(axis->min, at); /* fmin leaves out NaN */
        axis->max = fmax(axis->max, at);
    }
}

/* The smallest of 1, 2, 5 times a power of ten that is not below `x`. */
static double round_up(double x) {
    const double power = pow(10, floor(log10(x))), rest = x / power;
    const double digits = rest <= 1.0000001   ? 1
                          : rest <= 2.0000001 ? 2
                          : rest <= 5.0000001 ? 5
                                              : 10;
    return digits * power;
}

static void add_tick(chl_axis *axis, double at) {
    const double slack = 1e-9 * (axis->max - axis->min);
    if (at >= axis->min - slack && at <= axis->max + slack && axis->ticks < CHL_AXIS_TICKS)
        axis->tick[axis->ticks++] = at;
}

static void even_ticks(chl_axis *axis, int max, double least, bool tight) {
    const double step = fmax(round_up((axis->max - axis->min) / max), least);
    if (!tight) {
        axis->min = step * floor(axis->min / step + 1e-9);
        axis->max = step * ceil(axis->max / step - 1e-9);
    }
    const double first = ceil(axis->min / step - 1e-9);
    for (int i = 0; i < CHL_AXIS_TICKS; i++) add_tick(axis, step * (first + i));
}

/* 1, 2, 5, 10, 20, 50, ... where few decades are in the range */
static void decade_ticks(chl_axis *axis) {
    static const double digits[] = {1, 2, 5};
    const int first = (int)floor(axis->min), last = (int)floor(axis->max);
    for (int decade = first; decade <= last; decade++)
        for (int i = 0; i < 3; i++) add_tick(axis, decade + log10(digits[i]));
}

void chl_axis_finish(chl_axis *axis, int max, bool tight) {
    axis->ticks = 0;
    if (!(axis->min <= axis->max)) axis->min = axis->max = 0; /* no values */
    if (axis->max - axis->min < 1e-12 * fmax(1, fabs(axis->max))) {
        const double room = axis->logarithmic || axis->max == 0 ? 0.5 : 0.1 * fabs(axis->max);
        axis->min -= room;
        axis->max += room;
    }
    if (!axis->logarithmic) {
        even_ticks(axis, max, 0, tight);
    } else if (axis->max - axis->min > 3) {
        even_ticks(axis, max, 1, tight);
    } else {
        const double room = tight ? 0 : 0.03 * (axis->max - axis->min);
        axis->min -= room;
        axis->max += room;
        decade_ticks(axis);
        if (axis->ticks < 2) { /* less than a factor of 2 or so: no decade to speak of */
            axis->ticks = 0;
            for (int i = 0; i <= 4; i++)
                add_tick(axis, axis->min + i * (axis->max - axis->min) / 4);
        }
    }
}

void chl_axis_label(const chl_axis *axis, int tick, char *text, int size) {
    const double at = axis->tick[tick];
    if (axis->logarithmic) {
        snprintf(text, (size_t)size, "%.3g", pow(10, at));
        return;
    }
    const double step = axis->ticks > 1 ? axis->tick[1] - axis->tick[0] : 1;
    const int digits = (int)fmin(6, fmax(0, ceil(-log10(step) - 1e-9)));
    const double shown = fabs(at) < 1e-9 * step ? 0 : at; /* not -0 */
    if (fabs(shown) >= 1e6 || (step < 1e-4 && shown != 0))
        snprintf(text, (size_t)size, "%.3g", shown);
    else
        snprintf(text, (size_t)size, "%.*f", digits, shown);
}
