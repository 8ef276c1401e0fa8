/* Which calls the CUDA kernels take together, as far as shapes say it: for the kernels and for
 * bench/floors.c, which counts what they move. C11 and C++17. */
#ifndef CHL_FUSION_H
#define CHL_FUSION_H
#include "ops.h"

/* modconv_epilogue_backward: of noise strength and biases no gradient is wanted */
static inline bool chl_frozen_epilogue(const chl_call *epilogue) {
    return epilogue->out_desc[0].rank && !epilogue->out_desc[2].rank &&
           !epilogue->out_desc[3].rank && !(epilogue->accumulate & 1u);
}
/* torgb_backward: three colours; of weight and bias no gradient is wanted */
static inline bool chl_frozen_torgb(const chl_call *rgb) {
    return rgb->in_desc[3].dim[0] == 3 && !rgb->out_desc[2].rank && !rgb->out_desc[3].rank;
}
/* modconv, torgb: bf16, and channels that one tile can have */
static inline bool chl_colours_in_tile(const chl_call *conv, const chl_call *rgb) {
    const int32_t o = conv->attr.conv.o;
    return !conv->attr.conv.up && conv->in_desc[0].dtype == CHL_BF16 &&
           (o == 32 || o == 64 || o == 128) && rgb->in_desc[1].dim[0] == 3 && !conv->accumulate &&
           !rgb->accumulate;
}
#endif
