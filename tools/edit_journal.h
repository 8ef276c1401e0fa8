/* `edit` of more pairs than fit one batch: the codes of finished batches, kept beside the outputs
 * until all are done. A command that was killed continues where it was when it is given again: a
 * batch is taken from here or computed as a whole, so that the results are those of an
 * uninterrupted run.
 *
 * The folder is OUT/unfinished-<digest>, or OUT.unfinished-<digest> beside an OUT that is a file;
 * the digest is of everything that the codes depend on: options, and name, size and time of each
 * file that is read. Another command never reads it. */
#ifndef CHL_TOOLS_EDIT_JOURNAL_H
#define CHL_TOOLS_EDIT_JOURNAL_H
#include "edit_job.h"

/* Finds the name of the folder; none for a single batch, or with a warning without memory. */
void edit_journal_open(edit_job *job, const chl_edit_options *options);
/* Whether the batch at job->at was finished; its codes and trail are then filled in. */
bool edit_journal_read(edit_job *job, int count);
/* Keeps them. A failure is a warning: the results do not depend on it. */
void edit_journal_write(edit_job *job, int count);
/* Removes the folder if `done`; frees the name. */
void edit_journal_close(edit_job *job, bool done);
#endif
