/* What an Adam case is told, by its builder and its reference alike. */
#ifndef CHL_TEST_ADAM_STEP_H
#define CHL_TEST_ADAM_STEP_H
#include "graph/build.h"

typedef struct adam_step {
    chl_adam_settings adam;
    int64_t index;
    float rate;
    bool fresh; /* through chl_adam, whose moments start at 0; else from given moments */
} adam_step;
#endif
