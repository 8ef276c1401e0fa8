/* The demo's world in a build without it (CHLADNI_WORLD=OFF). */
#include "base/options.h"
#include <chladni/demo.h>

static chl_status without(const char *path) {
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: this build has no demo world: rebuild with -DCHLADNI_WORLD=ON", path);
}

void chl_world_options_init(size_t size, chl_world_options *options) {
    const chl_world_options defaults = {.size = sizeof defaults};
    chl_options_give(options, size, &defaults, sizeof defaults);
}
chl_status chl_world_write(const chl_world_options *theirs) {
    chl_world_options options = {.size = sizeof options};
    CHL_TRY(chl_options_take(&options, sizeof options, theirs, "chl_world_options"));
    return without(options.out);
}
chl_status chl_world_sound(const char *kind, int algorithm, float strength, int recorded,
                           uint64_t seed, float seconds, const char *path) {
    CHL_NEEDS(kind, path);
    (void)kind, (void)algorithm, (void)strength, (void)recorded, (void)seed, (void)seconds;
    return without(path);
}
chl_status chl_world_picture(const char *kind, float strength, uint64_t seed, int side,
                             const char *path) {
    CHL_NEEDS(path);
    (void)kind, (void)strength, (void)seed, (void)side;
    return without(path);
}
