/* The clock that durations are measured with. */
#ifndef CHL_BASE_CLOCK_H
#define CHL_BASE_CLOCK_H

/* Seconds since an arbitrary fixed moment: only differences mean something. The clock is monotonic,
 * so that setting the time of day never makes a duration negative. */
double chl_seconds_now(void);
#endif
