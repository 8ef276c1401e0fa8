#include "reference.h"

REFERENCE(mean) {
    int64_t count = chl_count(&call->in_desc[0]);
    for (int64_t i = 0; i < count; i++) OUT(0)[0] += IN(0)[i] / (double)count;
}
