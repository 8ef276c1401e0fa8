/* The search of chl_edit_to_goal, and what measures it; this room only. */
#ifndef CHL_EDIT_GOAL_PRIVATE_H
#define CHL_EDIT_GOAL_PRIVATE_H
#include "edit/edit_private.h"

/* Measures codes against their sources and targets. Sources' pictures are seen once. */
typedef struct chl_goal_meter {
    chl_engine *engine;
    chl_kept keep;
    int batch; /* pictures that CLIP sees at once */
    int64_t code, side, embed, face;
    const float *source, *target; /* [n] */
    const float *region;          /* NULL where `keep` needs none, as the next three */
    float *view, *identity;       /* [n] of the sources */
    float *picture;               /* likewise */
    float *pixels, *seen;         /* [batch] */
    float *who;
} chl_goal_meter;

/* To be freed whatever the status is. */
chl_status chl_goal_meter_open(chl_engine *engine, chl_kept keep, const float *region, int n,
                               int batch, const float *source, const float *target,
                               chl_goal_meter *out);
void chl_goal_meter_free(chl_goal_meter *meter);
/* w [count][code], each an edit of source number edit[i] -> kept, cosine [count]. */
chl_status chl_goal_measure(chl_goal_meter *meter, int count, const int *edit, const float *w,
                            float *kept, float *cosine);

/* How far a measured value is on the good side of the bound; negative: it breaks it. */
static inline double chl_goal_room(const chl_goal_options *goal, double kept) {
    return goal->keep == CHL_KEEP_IDENTITY ? kept - (double)goal->bound
                                           : (double)goal->bound - kept;
}
chl_status chl_goal_check(const chl_goal_options *goal);
#endif
