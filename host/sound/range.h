/* From the smallest to the largest value of a number that is drawn. */
#ifndef CHL_SOUND_RANGE_H
#define CHL_SOUND_RANGE_H

typedef struct chl_range {
    float min, max;
} chl_range;
#endif
