/* The names of a classifier's classes, in its file: an empty mark "PREFIX0.rain" for each. */
#ifndef CHL_NETS_CLASS_NAMES_H
#define CHL_NETS_CLASS_NAMES_H
#include "base/params.h"

chl_status chl_class_names_add(chl_params *params, const char *prefix, int count,
                               const char *const *name);
/* name [count], all NULL before: texts of the params' own. Marks them used. CHL_ERR_FORMAT for an index
 * that is none, CHL_ERR_KEY for one that is missing. */
chl_status chl_class_names_take(chl_params *params, const char *prefix, int count,
                                const char **name);
#endif
