#include "plot/heat.h"
#include <math.h>

static uint32_t between(int anchors, const uint32_t *anchor, double share) {
    const int steps = anchors - 1;
    const double at = fmin(fmax(share, 0), 1) * steps;
    const int i = at < steps ? (int)at : steps - 1;
    uint32_t colour = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        const double from = anchor[i] >> shift & 255, to = anchor[i + 1] >> shift & 255;
        colour |= (uint32_t)lround(from + (at - i) * (to - from)) << shift;
    }
    return colour;
}

uint32_t chl_heat(double level) {
    static const uint32_t anchor[] = {0x000004, 0x3b0f70, 0x8c2981, 0xde4968, 0xfe9f6d, 0xfcfdbf};
    return between(6, anchor, level);
}

uint32_t chl_two_sided_heat(double level) {
    static const uint32_t anchor[] = {0x2166ac, 0x92c5de, 0xffffff, 0xf4a582, 0xb2182b};
    return between(5, anchor, (level + 1) / 2);
}
