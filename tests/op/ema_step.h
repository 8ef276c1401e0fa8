/* What an average's case is told, by its builder and its reference alike. */
#ifndef CHL_TEST_EMA_STEP_H
#define CHL_TEST_EMA_STEP_H
#include "graph/build.h"

typedef struct ema_step {
    float decay;
    int64_t index;
    bool warm_up;
    bool fresh; /* through chl_average, which starts at the parameter; else from a given average */
} ema_step;
#endif
