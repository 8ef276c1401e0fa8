/* The recipe of an edited picture: how it was made, as JSON, in the PNG's text and in a file beside
 * it.
 *
 *   {"chladni": "0.2.0", "recipe": 1, "id": "<SHA-256>",
 *    "options": {"seed": "2", "sound": "/data/rain.ogg", ...}   flags of `edit` that were given
 *    "sha256": {"sound": "...", "generator": "...", ...}        of the files among them
 *    "at_once": [8]             edits that were optimised together, for each optimisation
 *    "build": "backend cpu: ...",
 *    "result": {"cosine": 0.41, "distance": 3.2, "step": 150}}
 *
 * The id is of options (without paths and device) and digests: equal edits have equal ids. */
#ifndef CHL_TOOLS_RECIPE_H
#define CHL_TOOLS_RECIPE_H
#include "one_edit.h"

#define RECIPE_KEYWORD "chladni"

typedef struct recipe_result {
    double cosine, distance; /* cosine NAN: there is no sound and no text */
    int step;
    int at_once[2];
} recipe_result;

/* The id of an edit; `digests` {flag: SHA-256} of all of its files. */
chl_status recipe_id(const one_edit *e, const json_t *digests, char id[DIGEST_ROOM]);
/* NULL without memory. */
json_t *recipe_new(const one_edit *e, const json_t *digests, const recipe_result *result);
/* out.png -> out.json, to be freed; NULL without memory. */
char *recipe_path(const char *path);
/* The picture with the recipe in it, then the recipe beside it. */
chl_status recipe_write_picture(const char *path, int side, const float *pixels,
                                const json_t *recipe);
/* The file beside it alone. */
chl_status recipe_write_beside(const char *path, const json_t *recipe);
/* The recipe in a picture, or in a JSON file, to be released. */
chl_status recipe_read(const char *path, json_t **recipe);
/* The edit of a recipe; its texts live as long as the recipe. */
chl_status recipe_edit(const char *path, const json_t *recipe, one_edit *e);
#endif
