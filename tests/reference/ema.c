/* One step from a given average. step.index is the case's. */
#include "op/ema_step.h"
#include "reference.h"

REFERENCE(ema) {
    const ema_step *s = SETTINGS(ema_step);
    const double warm = ((double)s->index + 1) / ((double)s->index + 10);
    const double decay = (double)s->decay;
    const double d = s->warm_up && warm < decay ? warm : decay;
    for (int64_t i = 0; i < chl_count(&call->in_desc[0]); i++) {
        const real before = s->fresh ? IN(0)[i] : IN(1)[i];
        OUT(0)[i] = d * before + (1 - d) * IN(0)[i];
    }
}
