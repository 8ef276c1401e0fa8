/* bf16 <-> float32. The CPU computes in float32; this serves its tests and files. The gradient rule
 * (gradient_cast) never adds a cast to a gradient that exists, so the accumulate bit is never set.
 */
#include "cpu/lib/cpu.h"
#include "cpu/lib/vmath.h"
#include <stdbool.h>

static float widen(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Round to nearest even; a NaN stays one. */
static uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static chl_kernel_status run(const chl_call *call) {
    const int64_t count = chl_count(&call->in_desc[0]);
    const bool from_half = call->in_desc[0].dtype == CHL_BF16;
    const bool to_half = call->out_desc[0].dtype == CHL_BF16;
    if (!call->out[0]) return CHL_KERNEL_OK;
    for (int64_t i = 0; i < count; i++) {
        float value =
            from_half ? widen(((const uint16_t *)call->in[0])[i]) : ((const float *)call->in[0])[i];
        if (to_half)
            ((uint16_t *)call->out[0])[i] = narrow(value);
        else
            ((float *)call->out[0])[i] = value;
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_cast = {run, NULL, NULL};
