/* Runs op cases against the double-precision references; see op_case.h. */
#ifndef CHL_TEST_OP_TEST_H
#define CHL_TEST_OP_TEST_H
#include "op_case.h"

typedef struct op_coverage {
    int forward[CHL_OP_COUNT];            /* shapes in which the row ran and was right */
    int failed, skipped;                  /* skipped: the backend lacks an op that the case needs */
    double worst_forward, worst_gradient; /* largest error / tolerance seen */
    double worst_second;
} op_coverage;

/* Every op that the case needs, forward and backward, has a body on this backend. */
bool op_test_possible(const op_case *op, chl_device *device);
/* The suite's precision: inputs marked `half` are bf16 from now on; only cases that have one run.
 */
void op_test_precision(chl_dtype activations);
/* Every case is computed in `each` of `count` ways, against one reference: the first case in the
 * first of them, the next case in those that follow, in turns. `choose` switches to a way and names
 * it. Without this there is one way. */
void op_test_ways(int count, int each, const char *(*choose)(int way));
/* True when right. A failure is explained on stderr. */
bool op_test_run(const op_case *op, chl_device *device, op_coverage *coverage);
/* The second derivatives of a case on the CPU. A case is skipped when one of its rows is open or
 * when it says so itself. */
void op_test_second(const op_case *op, chl_device *device, op_coverage *coverage);
/* Rows without a gradient rule; test_ops checks that the list is exact. */
bool op_test_is_open(chl_op op);
#endif
