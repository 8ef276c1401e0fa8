/* Recipes of the pictures that `edit` writes (--embed-recipe). */
#ifndef CHL_TOOLS_EDIT_RECIPE_H
#define CHL_TOOLS_EDIT_RECIPE_H
#include "edit_job.h"

/* The pairs of a result, first to last: of a mix the text's and the sound's. */
int edit_first_pair(const edit_job *job, int source, int result);
/* What is known of a result's direction (direction.h); NULL: the error is stored. */
json_t *edit_about_direction(edit_job *job, int source, int result);
/* The picture of a result with its recipe, and the recipe beside it. */
chl_status edit_write_with_recipe(edit_job *job, int source, int result, double cosine,
                                  double distance, const float *pixels, const char *path);
#endif
