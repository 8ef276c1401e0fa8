#include "reference.h"
#include "sequence_settings.h"

REFERENCE(scale_by) {
    double most = ((const scale_by_settings *)call->op->settings)->most;
    real log_scale = IN(1)[0];
    if (RE(log_scale) > most) log_scale = most;
    for (int64_t i = 0; i < chl_count(&call->out_desc[0]); i++)
        OUT(0)[i] = IN(0)[i] * real_exp(log_scale);
}
