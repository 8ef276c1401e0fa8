/* Clips that a run leaves out, for they are missing or cannot be read: how many, which, and when there are
 * too many.
 *
 *     chl_left_out *out;
 *     CHL_TRY(chl_left_out_new(0.25, "run/left-out.txt", &out));
 *     CHL_TRY(chl_left_out_missing(out, "a.wav", "No such file"));     while the list is read
 *     CHL_TRY(chl_left_out_begin(out, "pairs.jsonl", samples));        too many are missing
 *     CHL_TRY(chl_left_out_add(out, sample, "b.wav", "is empty"));     at a step
 *     chl_left_out_free(out); */
#ifndef CHL_TRAIN_LEFT_OUT_H
#define CHL_TRAIN_LEFT_OUT_H
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct chl_left_out chl_left_out;

/* tolerate: share of all clips. path: of a file that gets a line "NAME<tab>WHY" for each; a new one is
 * begun with the first; NULL: none. */
chl_status chl_left_out_new(double tolerate, const char *path, chl_left_out **out);
void chl_left_out_free(chl_left_out *out);
chl_status chl_left_out_missing(chl_left_out *out, const char *name, const char *why);
/* The list `name` has so many samples; what is missing is said in the log. CHL_ERR_FORMAT: the share
 * of what is missing is above `tolerate`. */
chl_status chl_left_out_begin(chl_left_out *out, const char *name, int64_t samples);
/* Sample number `sample` cannot be read; again is nothing new. CHL_ERR_FORMAT: that is one too many. */
chl_status chl_left_out_add(chl_left_out *out, int64_t sample, const char *name, const char *why);
/* A picture, not the clip: it is named and counted, and no sample. */
chl_status chl_left_out_picture(chl_left_out *out, const char *name, const char *why);
bool chl_left_out_has(const chl_left_out *out, int64_t sample);
int64_t chl_left_out_count(const chl_left_out *out);
/* Are there clips that may be left out? */
bool chl_left_out_allows(const chl_left_out *out);
/* Is a failure of this kind the clip's, and not the machine's? */
bool chl_left_out_blames(chl_status status);
#endif
