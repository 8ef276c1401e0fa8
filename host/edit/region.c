/* Where a picture may change, and how much it changes elsewhere. */
#include "base/options.h"
#include "edit/edit_private.h"
#include <math.h>

#define RANGE 2 /* from black to white */

/* the sum of 1 - region */
static double area_outside(const float *region, int side) {
    double area = 0;
    for (int64_t i = 0; i < (int64_t)side * side; i++) area += 1 - (double)region[i];
    return area;
}

chl_status chl_region_check(const float *region, int side) {
    const int64_t count = (int64_t)side * side;
    for (int64_t i = 0; i < count; i++)
        if (!(region[i] >= 0 && region[i] <= 1))
            return chl_fail(CHL_ERR_ARGUMENT, "region must be in [0, 1], got %g at number %lld",
                            (double)region[i], (long long)i);
    const double area = area_outside(region, side);
    if (area <= 0)
        return chl_fail(CHL_ERR_ARGUMENT, "region must be below 1 somewhere, got a region that is "
                                          "the whole picture");
    if (area >= (double)count)
        return chl_fail(CHL_ERR_ARGUMENT, "region must be above 0 somewhere, got a region without "
                                          "a pixel that may change");
    return CHL_OK;
}

void chl_region_weights(const float *region, int side, float *outside) {
    const int64_t count = (int64_t)side * side;
    const double share = (double)count / (RANGE * area_outside(region, side));
    for (int64_t i = 0; i < 3 * count; i++)
        outside[i] = (float)(share * (1 - (double)region[i / 3]));
}

float chl_region_change(const float *region, int side, const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < 3 * (int64_t)side * side; i++)
        sum += (1 - (double)region[i / 3]) * fabs((double)a[i] - (double)b[i]);
    return (float)(sum / (3 * RANGE * area_outside(region, side)));
}

chl_status chl_change_outside(const chl_engine *engine, const float *region, const float *a,
                              const float *b, float *change) {
    CHL_NEEDS(engine, region, a, b, change);
    CHL_TRY(chl_need(engine->generator, "generator", "the change outside a region"));
    const int side = engine->generator->sizes.picture;
    CHL_TRY(chl_region_check(region, side));
    CHL_FINITE(a, 3 * (int64_t)side * side);
    CHL_FINITE(b, 3 * (int64_t)side * side);
    *change = chl_region_change(region, side, a, b);
    return CHL_OK;
}
