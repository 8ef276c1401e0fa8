#include "train/gan_ada.h"
#include "graph/ops/compose.h"

/* --- in the graph ----------------------------------------------------------------------------- */
static chl_tensor state(chl_graph *g, const char *name) {
    return chl_param(g, name, chl_f32(1, 1), NULL, CHL_TRAINABLE);
}

/* -1, 0 or 1 */
static chl_tensor sign(chl_graph *g, chl_tensor x) {
    const int n = (int)chl_count(chl_desc_of(g, x));
    return chl_row_norm(g, chl_reshape(g, x, chl_f32(2, n, 1)), CHL_NORM_L2, 1e-30f);
}

static void assign(chl_graph *g, chl_tensor to, chl_tensor x) {
    chl_ema(g, to, chl_reshape(g, x, chl_f32(1, 1)), 0, false);
}

void chl_gan_ada_watch(chl_trainer *t, chl_gan_ada *ada, chl_tensor scores) {
    chl_graph *g = t->graph;
    if (scores == CHL_NONE || chl_graph_status(g) != CHL_OK) return;
    const float share = 1 / (float)t->ranks, target = t->options->augment_target;
    const chl_tensor own = chl_mean(g, sign(g, scores));
    chl_trainer_watch(t, "sign_real", own);
    if (ada->fixed > 0) return;
    ada->p = state(g, "augment.p");
    ada->before = state(g, "augment.p_before");
    ada->excess = state(g, "augment.excess");
    const chl_tensor mean = chl_all_reduce(g, chl_scale(g, own, share));
    assign(g, ada->excess,
           chl_sum(g, -target, 2, (float[]){1, 1}, (chl_tensor[]){ada->excess, mean}));
}

void chl_gan_ada_phase(chl_trainer *t, const chl_gan_ada *ada) {
    chl_graph *g = t->graph;
    if (ada->fixed > 0 || chl_graph_status(g) != CHL_OK) return;
    const float step =
        (float)(t->options->batch * CHL_ADA_INTERVAL) / (1000 * t->options->augment_kimg);
    const chl_tensor up = chl_reshape(g, sign(g, ada->excess), chl_f32(1, 1));
    const chl_tensor moved = chl_sum(g, 0, 2, (float[]){1, step}, (chl_tensor[]){ada->p, up});
    const chl_tensor p = chl_activate(g, moved, CHL_LEAKY_RELU, 0);
    assign(g, ada->before, ada->p);
    assign(g, ada->p, p);
    assign(g, ada->excess, chl_filled(g, chl_f32(1, 1), 0));
    chl_trainer_phase(t, &(chl_phase){.interval = CHL_ADA_INTERVAL});
    /* at the end of every step: the state itself is no result */
    chl_trainer_watch(t, CHL_ADA_TERM, chl_mean(g, ada->p));
}

/* --- on the host ------------------------------------------------------------------------------ */
chl_status chl_gan_ada_start(const chl_trainer *t, chl_gan_ada *ada, int64_t index) {
    if (ada->fixed > 0 || index == 0) return CHL_OK;
    const int64_t last = (index - 1) / CHL_ADA_INTERVAL; /* the last update's number */
    CHL_TRY(chl_read(t->graph, ada->p, &ada->history[last % 2]));
    return chl_read(t->graph, ada->before, &ada->history[(last + 1) % 2]);
}

void chl_gan_ada_finished(chl_gan_ada *ada, int64_t index, float p) {
    if (index % CHL_ADA_INTERVAL == 0) ada->history[index / CHL_ADA_INTERVAL % 2] = p;
}

float chl_gan_ada_p(const chl_gan_ada *ada, int64_t index) {
    if (ada->fixed > 0) return ada->fixed;
    if (index < CHL_ADA_INTERVAL) return 0;
    return ada->history[(index / CHL_ADA_INTERVAL - 1) % 2];
}
