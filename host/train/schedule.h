/* The learning rate as a pure function of the step, so that a resumed run needs nothing saved. */
#ifndef CHL_OPTIM_SCHEDULE_H
#define CHL_OPTIM_SCHEDULE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct chl_schedule {
    int64_t steps; /* of the whole run */
    int cycles;    /* the run is cut into so many equal cycles; 0: the rate stays at the peak */
    float warm_up; /* share of a cycle that rises linearly, [0, 1) */
    float peak, lowest;
    bool triangle;
} chl_schedule;

/* Of step `index`, from 0; 0 at and after `steps`. A cycle is a linear rise from `lowest` to the
 * peak, then half a cosine back [Loshchilov & Hutter 2017, Eq. 5], or with `triangle` a straight
 * line [Smith 2017]. A triangle begins at `lowest`, so that with warm_up 0.5 it is
 * torch.optim.lr_scheduler.CyclicLR's; a cosine's first step is already above it: of a rise from 0
 * no step is lost. */
float chl_schedule_rate(const chl_schedule *schedule, int64_t index);
#endif
