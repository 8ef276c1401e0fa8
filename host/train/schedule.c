#include "train/schedule.h"
#include <math.h>

/* First step of a cycle: whole numbers, so that cycles share the steps without a gap. */
static int64_t begin_of(const chl_schedule *s, int64_t cycle) {
    return s->steps / s->cycles * cycle + s->steps % s->cycles * cycle / s->cycles;
}

/* The whole run is one rise. */
static float constant_rate(const chl_schedule *s, int64_t index) {
    const int64_t rise = (int64_t)floor((double)s->warm_up * (double)s->steps);
    if (index >= rise) return s->peak;
    return (float)((double)s->peak * (double)(index + 1) / (double)(rise + 1));
}

float chl_schedule_rate(const chl_schedule *schedule, int64_t index) {
    if (index < 0 || index >= schedule->steps || schedule->cycles < 0) return 0;
    if (schedule->cycles == 0) return constant_rate(schedule, index);
    int64_t cycle = 0;
    while (cycle + 1 < schedule->cycles && index >= begin_of(schedule, cycle + 1)) cycle++;
    const int64_t begin = begin_of(schedule, cycle);
    const int64_t length = begin_of(schedule, cycle + 1) - begin, at = index - begin;
    const int64_t rise = (int64_t)floor((double)schedule->warm_up * (double)length);
    const double lowest = (double)schedule->lowest, height = (double)schedule->peak - lowest;
    if (at < rise) {
        const int64_t steps = schedule->triangle ? rise : rise + 1;
        return (float)(lowest + height * (double)(at + steps - rise) / (double)steps);
    }
    const double share = (double)(at - rise) / (double)(length - rise);
    if (schedule->triangle) return (float)(lowest + height * (1 - share));
    return (float)(lowest + height * 0.5 * (1 + cos(3.14159265358979323846 * share)));
}
