#include "reference.h"

REFERENCE(add_bias) {
    int64_t inner = chl_count(&call->in_desc[1]);
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++)
        OUT(0)[i] = IN(0)[i] + IN(1)[i % inner];
}
