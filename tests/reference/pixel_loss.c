#include "reference.h"

REFERENCE(pixel_loss) {
    const chl_attributes *a = SETTINGS(chl_attributes);
    const int64_t count = chl_count(&call->in_desc[0]), size = count / call->in_desc[0].dim[0];
    for (int64_t i = 0; i < count; i++) {
        const real step = IN(0)[i] - IN(1)[i];
        const real loss = a->loss.pixel == CHL_PIXEL_L2 ? step * step : RE(step) < 0 ? -step : step;
        OUT(0)[i / size] += loss / (double)size;
    }
}
