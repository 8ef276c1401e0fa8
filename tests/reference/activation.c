#include "reference.h"
#include "sequence_settings.h"

REFERENCE(activation) {
    const activation_settings *s = SETTINGS(activation_settings);
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++) {
        real x = IN(0)[i], y = 0;
        if (s->scale != 0) x = s->scale * x;
        switch (s->kind) {
        case CHL_LEAKY_RELU:
            y = RE(x) > 0 ? x : s->slope * x;
            break;
        case CHL_GELU:
            y = x / 2 * (1 + real_erf(x * 0.70710678118654752));
            break;
        case CHL_QUICK_GELU:
            y = x / (1 + real_exp(-1.702 * x));
            break;
        case CHL_SIGMOID:
            y = 1 / (1 + real_exp(-x));
            break;
        case CHL_SINE:
            y = real_sin(x);
            break;
        }
        OUT(0)[i] = s->residual ? x + y : y;
    }
}
