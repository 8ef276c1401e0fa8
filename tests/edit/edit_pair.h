/* An engine of small random models, and room for what two edits end with. For the tests of this folder. */
#ifndef CHL_TEST_EDIT_PAIR_H
#define CHL_TEST_EDIT_PAIR_H
#include "harness/random_engine.h"

#define EDITS 2

static float *edited, *other; /* [EDITS][numbers] */

static int open_models(void **state) {
    (void)state;
    random_engine_folder();
    random_engine_open("generator clip", EDITS);
    edited = malloc(sizeof(float) * EDITS * (size_t)numbers);
    other = malloc(sizeof(float) * EDITS * (size_t)numbers);
    return 0;
}

static int close_models(void **state) {
    (void)state;
    free(edited);
    free(other);
    return random_engine_close();
}
#endif
