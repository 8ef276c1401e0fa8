/* What a case of SGD is told, by its builder and its reference alike. */
#ifndef CHL_TEST_SGD_STEP_H
#define CHL_TEST_SGD_STEP_H
#include "graph/build.h"

typedef struct sgd_step {
    chl_sgd_settings sgd;
    float rate;
    bool fresh; /* through chl_sgd, whose moment starts at 0; else from a given one */
} sgd_step;
#endif
