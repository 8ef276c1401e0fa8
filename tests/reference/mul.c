#include "reference.h"

/* With one input it is squared. */
REFERENCE(mul) {
    const real *b = call->op->inputs > 1 ? IN(1) : IN(0);
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) OUT(0)[i] = IN(0)[i] * b[i];
}
