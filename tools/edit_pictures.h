/* What `edit` writes: the edited pictures, strips and sheets. */
#ifndef CHL_TOOLS_EDIT_PICTURES_H
#define CHL_TOOLS_EDIT_PICTURES_H
#include "edit_job.h"

/* Writes the pictures of --out whose last edit is among `count` from job->at. */
chl_status edit_write_results(edit_job *job, int count);
/* The inverted picture in place of the only edit of --out. */
chl_status edit_write_source(edit_job *job);
/* Exit codes; the error is printed. */
int edit_write_latents(const edit_job *job);
/* The results' codes minus their sources', each with what it is of. */
int edit_write_directions(edit_job *job);
/* The curves of --keep. */
int edit_write_keep_plot(const edit_job *job);
/* Why the edit is as it is, as a picture, and job->explained. */
int edit_write_explanation(edit_job *job);
int edit_write_strip(edit_job *job);
int edit_write_sheet(edit_job *job);
/* out.png -> out-000050.png */
chl_status edit_write_snapshot(edit_job *job, const chl_edit_progress *progress);
/* cosine of a code's picture with an embedding */
chl_status edit_cosine(edit_job *job, const float *w, const float *target, float *cosine);
/* of w's picture from its source's, outside --mask */
chl_status edit_change_outside(edit_job *job, const float *w, const float *source, float *change);
/* of two codes: root mean square over the rows */
double edit_distance(const edit_job *job, const float *a, const float *b);
#endif
