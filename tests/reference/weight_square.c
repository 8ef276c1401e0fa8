#include "reference.h"

REFERENCE(weight_square) {
    const int64_t count = chl_count(&call->in_desc[0]);
    const int64_t taps = call->in_desc[0].dim[2] * call->in_desc[0].dim[3];
    for (int64_t i = 0; i < count; i++) OUT(0)[i / taps] += IN(0)[i] * IN(0)[i];
}
