#include "reference.h"

REFERENCE(repeat) {
    int64_t count = chl_count(&call->in_desc[0]);
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) OUT(0)[i] = IN(0)[i % count];
}
