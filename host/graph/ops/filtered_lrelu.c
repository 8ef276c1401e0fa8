/* StyleGAN3's filtered leaky ReLU [Karras et al. 2021, section 3.2]: rules and builder. */
#include "graph/build.h"
#include "graph/ops/expect.h"

enum { UP_FILTER = 2, DOWN_FILTER = 3 }; /* inputs of filtered_lrelu; of _dx one further */

/* taps on an axis of the filter that is input `at`; one where it is absent */
static chl_status taps_of(const chl_shapes *s, int at, const char *name, int axes, int64_t *taps) {
    const chl_desc *f = &s->in[at];
    *taps = 1;
    if (!s->present[at]) return CHL_OK;
    CHL_EXPECT(f->rank >= 1 && f->rank <= axes && (f->rank == 1 || f->dim[0] == f->dim[1]),
               "%s must be [T]%s", name, axes == 2 ? " or [T,T]" : "");
    *taps = f->dim[0];
    return CHL_OK;
}

/* y's shape from x's; `first` is the input of fu */
static chl_status shape_of_y(const chl_shapes *s, int first, const chl_desc *x, chl_desc *y) {
    int64_t up_taps, down_taps;
    CHL_EXPECT(s->attr->filtered.up >= 1 && s->attr->filtered.down >= 1,
               "the rates must be >= 1, got %d up and %d down", s->attr->filtered.up,
               s->attr->filtered.down);
    CHL_TRY(taps_of(s, first, "fu", 1, &up_taps));
    CHL_TRY(taps_of(s, first + 1, "fd", 2, &down_taps));
    *y = *x;
    for (int axis = 1; axis < 3; axis++) {
        const int64_t around = s->attr->filtered.before + s->attr->filtered.after;
        const int64_t fine = x->dim[axis] * s->attr->filtered.up + around - up_taps + 1;
        CHL_EXPECT(fine >= down_taps,
                   "%" PRId64 " pixels are fewer than the filters' %" PRId64 " and %" PRId64
                   " taps leave room for",
                   x->dim[axis], up_taps, down_taps);
        y->dim[axis] = (fine - down_taps) / s->attr->filtered.down + 1;
    }
    return CHL_OK;
}

/* --- filtered_lrelu: x b fu? fd? -> y ---------------------------------------------------------- */
static chl_status infer_forward(chl_shapes *s) {
    CHL_EXPECT(s->in[0].rank == 4, "x must be [N,H,W,C]");
    CHL_EXPECT(chl_is_vector(&s->in[1], s->in[0].dim[3]), "b must be [%" PRId64 "]",
               s->in[0].dim[3]);
    return shape_of_y(s, UP_FILTER, &s->in[0], &s->out[0]);
}
/* v x b fu? fd? -> u */
static chl_status infer_backward(chl_shapes *s) {
    chl_desc y;
    CHL_EXPECT(s->in[1].rank == 4 && chl_is_vector(&s->in[2], s->in[1].dim[3]),
               "x must be [N,H,W,C] and b [C]");
    CHL_TRY(shape_of_y(s, UP_FILTER + 1, &s->in[1], &y));
    const bool push = s->attr->filtered.push;
    CHL_EXPECT(chl_same_shape(&s->in[0], push ? &s->in[1] : &y), "v must have the shape of %s",
               push ? "x" : "y");
    s->out[0] = push ? y : s->in[1];
    return CHL_OK;
}

static bool wants_filter(chl_gradient *c, int first) {
    if (!c->wanted[first] && !c->wanted[first + 1]) return false;
    chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED, "filtered_lrelu has no gradient to its filters");
    return true;
}
/* db is the sum of dx: the bias is added to x */
static void gradient_forward(chl_gradient *c) {
    const chl_tensor *in = c->node.in, from[] = {c->dout[0], in[0], in[1], in[2], in[3]};
    if (wants_filter(c, UP_FILTER)) return;
    if (!c->wanted[1]) {
        chl_backprop(c, CHL_OP_filtered_lrelu_dx, &c->node.attr, 5, from, 1, (int[]){0}, NULL);
        return;
    }
    const chl_attributes bias = {.like = *chl_desc_of(c->graph, in[1])};
    const chl_tensor dx = chl_emit1(c->graph, CHL_OP_filtered_lrelu_dx, &c->node.attr, 5, from);
    chl_backprop_same(c, 0, dx);
    chl_backprop(c, CHL_OP_add_bias_db, &bias, 1, &dx, 1, (int[]){1}, NULL);
}
/* Linear in v, with its transpose for the gradient. x and b only choose between two slopes, so that
 * their gradient is 0 but at the kinks. */
static void gradient_backward(chl_gradient *c) {
    const chl_tensor *in = c->node.in;
    chl_attributes attr = c->node.attr;
    attr.filtered.push = !attr.filtered.push;
    if (wants_filter(c, UP_FILTER + 1)) return;
    chl_backprop(c, CHL_OP_filtered_lrelu_dx, &attr, 5,
                 (chl_tensor[]){c->dout[0], in[1], in[2], in[3], in[4]}, 1, (int[]){0}, NULL);
}

/* the four passes of separable filters over the fine map, twice a multiply-add */
static double flops_of(const chl_shapes *s, int backward) {
    const int first = UP_FILTER + backward;
    const chl_desc *x = &s->in[backward];
    const double up = s->attr->filtered.up, down = s->attr->filtered.down;
    const double fine = up * up * (double)chl_count(x);
    const double up_taps = s->present[first] ? (double)s->in[first].dim[0] / up : 1;
    double down_taps = s->present[first + 1] ? (double)s->in[first + 1].dim[0] / down : 1;
    if (s->present[first + 1] && s->in[first + 1].rank == 2) down_taps *= down_taps / 2;
    return fine * 4 * ((backward ? 2 : 1) * up_taps + down_taps);
}
static double flops_forward(const chl_shapes *s) {
    return flops_of(s, 0);
}
static double flops_backward(const chl_shapes *s) {
    return flops_of(s, 1);
}

/* half: x, y and their gradients */
const chl_rule chl_rule_filtered_lrelu = {infer_forward, gradient_forward, .flops = flops_forward,
                                          .bf16 = {1, 1}};
const chl_rule chl_rule_filtered_lrelu_dx = {infer_backward, gradient_backward,
                                             .flops = flops_backward, .bf16 = {3, 1}};

chl_tensor chl_filtered_lrelu(chl_graph *g, chl_tensor x, chl_tensor b, chl_tensor up_filter,
                              chl_tensor down_filter, const chl_filtered *settings) {
    const chl_attributes attr = {.filtered = {.up = settings->up,
                                              .down = settings->down,
                                              .before = settings->before,
                                              .after = settings->after,
                                              .gain = settings->gain,
                                              .slope = settings->slope,
                                              .clamp = settings->clamp}};
    if (x == CHL_NONE || b == CHL_NONE) return CHL_NONE;
    return chl_emit1(g, CHL_OP_filtered_lrelu, &attr, 4,
                     (chl_tensor[]){x, b, up_filter, down_filter});
}
