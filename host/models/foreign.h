/* Networks that people have files of and that this engine does not have, by the names of their
 * arrays. For host/models/registry.c, this room only. */
#ifndef CHL_MODELS_FOREIGN_H
#define CHL_MODELS_FOREIGN_H
#include "base/params.h"

/* "a StyleGAN3 generator"; NULL when the file is none of them. */
const char *chl_foreign_network(const chl_params *params);
#endif
