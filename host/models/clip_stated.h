/* What the settings file beside a CLIP says: Hugging Face's config.json, open_clip's
 * open_clip_config.json. For host/models/clip.c, this room only. */
#ifndef CHL_MODELS_CLIP_STATED_H
#define CHL_MODELS_CLIP_STATED_H
#include "base/status.h"
#include <stdbool.h>

typedef struct chl_clip_stated {
    bool found; /* there is such a file */
    int image_heads, text_heads;
    bool exact_gelu;
} chl_clip_stated;

/* `path` of the weights. A settings file is looked for where the weights have the name that these
 * projects give them (model.safetensors, pytorch_model.bin, open_clip_model.safetensors, ...), or
 * are a folder; a file of another name may lie beside the settings of another model.
 * CHL_ERR_UNSUPPORTED for a setting that the engine does not have, CHL_ERR_FORMAT for a file that
 * is no JSON. */
chl_status chl_clip_read_stated(const char *path, chl_clip_stated *out);
#endif
