/* The learning rate as a pure function of the step, so that a resumed run needs nothing saved. */
#ifndef CHL_OPTIM_SCHEDULE_H
#define CHL_OPTIM_SCHEDULE_H
#include <stdint.h>

typedef struct chl_schedule {
    int64_t steps; /* of the whole run */
    int cycles;    /* the run is cut into so many equal cycles, each from the peak to 0 */
    float warm_up; /* share of a cycle that rises linearly, [0, 1) */
    float peak;
} chl_schedule;

/* Of step `index`, from 0: linear rise, then half a cosine [Loshchilov & Hutter 2017, Eq. 5 with
 * eta_min = 0]. 0 at and after `steps`. */
float chl_schedule_rate(const chl_schedule *schedule, int64_t index);
#endif
