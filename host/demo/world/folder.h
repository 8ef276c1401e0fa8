/* The folder that `chladni world` writes: which may be written to, and what an earlier run left. */
#ifndef CHL_WORLD_FOLDER_H
#define CHL_WORLD_FOLDER_H
#include "base/status.h"
#include <chladni/demo.h>

/* Creates the folder and those inside. One that holds something is refused, unless `force` is set
 * or an earlier run was cut short in it. The numbered files of an earlier world are removed: they
 * would stay beside the new ones. */
chl_status chl_world_folder_begin(const chl_world_options *options);
/* Says that all is written: from now on the folder is a finished one. */
chl_status chl_world_folder_end(const chl_world_options *options);
#endif
