#include "reference.h"

REFERENCE(embedding) {
    int64_t width = call->in_desc[1].dim[1];
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++)
        OUT(0)[i] = IN(1)[(int64_t)RE(IN(0)[i / width]) * width + i % width];
}
