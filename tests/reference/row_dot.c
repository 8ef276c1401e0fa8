#include "reference.h"

REFERENCE(row_dot) {
    const int64_t size = call->in_desc[0].dim[1];
    for (int64_t i = 0; i < chl_count(&call->in_desc[0]); i++)
        OUT(0)[i / size] += IN(0)[i] * IN(1)[i];
}
