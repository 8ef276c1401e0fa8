/* Small random models that fit together, for trying things out: an edit with them takes seconds.
 *
 *     chl_params *params;
 *     CHL_TRY(chl_small_model("clip", 1, &params)); */
#ifndef CHL_NETS_SMALL_MODELS_H
#define CHL_NETS_SMALL_MODELS_H
#include "base/params.h"

/* kind: "generator", "stylegan3-t", "stylegan3-r", "clip", "audio", "face" or "encoder"; another is CHL_ERR_ARGUMENT. */
chl_status chl_small_model(const char *kind, uint64_t seed, chl_params **out);
#endif
