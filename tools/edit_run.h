/* `edit`: from what was asked for to edited codes. */
#ifndef CHL_TOOLS_EDIT_RUN_H
#define CHL_TOOLS_EDIT_RUN_H
#include "edit_job.h"

/* Opens the engine, allocates the job's arrays and fills in sources and targets. An exit code; the
 * error is printed. --dry-run: prints the cost instead. A tuning that is interrupted is kept here. */
int edit_prepare(edit_job *job);
/* CHL_ERR_CANCELLED and CHL_ERR_NUMERIC leave the codes reached so far. */
chl_status edit_optimise(edit_job *job);
/* Closes the engine and frees the arrays. */
void edit_release(edit_job *job);
#endif
