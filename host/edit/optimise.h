/* The loop around a step graph: schedule, progress, ends. Shared by editing and inversion. */
#ifndef CHL_EDIT_OPTIMISE_H
#define CHL_EDIT_OPTIMISE_H
#include "graph/graph.h"
#include <chladni/edit.h>

#define CHL_MAX_REPORTED 4

typedef struct chl_optimisation {
    chl_graph *graph;
    chl_segment segment; /* one run of it is one step */
    chl_segment decode;  /* makes w from what is trained; none: w itself is trained */
    chl_tensor
        paced; /* [samples], written before a step: (share of the steps done)^rise; or CHL_NONE */
    float rise;
    const float *paced_by; /* NULL, or [samples]: times that share */
    /* NULL, or called before step `index`, to write what it needs */
    chl_status (*before)(void *owner, int index);
    void *owner;
    chl_tensor w;    /* read after every step */
    int64_t numbers; /* in w */
    int samples;     /* optimised at once, each with its own losses */
    int steps;
    float rate;
    uint64_t seed;
    chl_tensor reported[CHL_MAX_REPORTED]; /* [samples] each, kept; CHL_NONE = 0 */
    /* values[] are the means of the reported ones, in that order */
    void (*describe)(chl_edit_progress *progress, const float *values);
    bool *broken; /* NULL, or [samples]: receives which have no finite code or loss any more */
    chl_progress_callback progress;
    void *user;
} chl_optimisation;

/* Learning rate factor at step index of steps: linear rise over the first 5 %, cosine fall over the
 * last 25 % [Karras et al. 2020, projector; Kim et al. 2022]. In (0, 1]. */
float chl_rate_factor(int index, int steps);

/* Runs the steps; `w` gets the code after the last one. CHL_ERR_CANCELLED leaves the last good code
 * in `w`. CHL_ERR_NUMERIC: samples broke down, and `w` has their last good codes; the others went
 * on, to the last step. */
chl_status chl_optimise(const chl_optimisation *optimisation, float *w);

/* What running the graph would cost. */
chl_status chl_cost_of(chl_graph *graph, chl_cost *cost);
#endif
