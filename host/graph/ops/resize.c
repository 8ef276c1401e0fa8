/* Resampling of pictures; the filters are described at chl_filter. */
#include "graph/build.h"
#include "graph/ops/expect.h"

static chl_desc picture(int64_t n, int64_t h, int64_t w, int64_t c) {
    return chl_make_desc(CHL_F32, 4, (int64_t[]){n, h, w, c});
}

static chl_status infer(chl_shapes *s) {
    const chl_desc *x = &s->in[0];
    const chl_attributes *a = s->attr;
    CHL_EXPECT(x->rank == 4, "x must be [N,H,W,C]");
    CHL_EXPECT(a->resize.out_h >= 1 && a->resize.out_w >= 1, "resizing to %dx%d", a->resize.out_h,
               a->resize.out_w);
    CHL_EXPECT(a->resize.y >= 0 && a->resize.x >= 0 && a->resize.h >= 1 && a->resize.w >= 1 &&
                   a->resize.y + a->resize.h <= x->dim[1] && a->resize.x + a->resize.w <= x->dim[2],
               "the window %dx%d at row %d, column %d leaves the picture", a->resize.h, a->resize.w,
               a->resize.y, a->resize.x);
    s->out[0] = picture(x->dim[0], a->resize.out_h, a->resize.out_w, x->dim[3]);
    return CHL_OK;
}
static chl_status infer_dx(chl_shapes *s) {
    const chl_desc *dy = &s->in[0];
    const chl_attributes *a = s->attr;
    CHL_EXPECT(dy->rank == 4 && dy->dim[1] == a->resize.out_h && dy->dim[2] == a->resize.out_w,
               "dy does not have the resized shape");
    s->out[0] = picture(dy->dim[0], a->resize.in_h, a->resize.in_w, dy->dim[3]);
    return CHL_OK;
}
/* The layout is the kernel's business. No inputs: computed once, before the first run. */
static chl_status infer_axes(chl_shapes *s) {
    s->out[0] = (chl_desc){.dtype = CHL_U8};
    return CHL_OK;
}
const chl_rule chl_rule_resize_axes = {.infer = infer_axes};

static void gradient(chl_gradient *c) {
    chl_backprop(c, CHL_OP_resize_dx, &c->node.attr, 2, (chl_tensor[]){c->dout[0], c->node.in[1]},
                 1, (int[]){0}, NULL);
}
const chl_rule chl_rule_resize = {infer, gradient, .bf16 = {1, 1}};
static void gradient_dx(chl_gradient *c) {
    chl_backprop(c, CHL_OP_resize, &c->node.attr, 2, (chl_tensor[]){c->dout[0], c->node.in[1]}, 1,
                 (int[]){0}, NULL);
}
const chl_rule chl_rule_resize_dx = {infer_dx, gradient_dx, .bf16 = {1, 1}};

chl_tensor chl_resize(chl_graph *g, chl_tensor x, chl_filter filter, int out_h, int out_w) {
    const chl_desc *d = chl_desc_of(g, x);
    return chl_resize_window(g, x, filter, out_h, out_w, 0, 0, (int)d->dim[1], (int)d->dim[2]);
}

chl_tensor chl_resize_window(chl_graph *g, chl_tensor x, chl_filter filter, int out_h, int out_w,
                             int y, int x0, int h, int w) {
    const chl_desc *d = chl_desc_of(g, x);
    const chl_attributes attr = {.resize = {.filter = filter,
                                            .out_h = out_h,
                                            .out_w = out_w,
                                            .y = y,
                                            .x = x0,
                                            .h = h,
                                            .w = w,
                                            .in_h = (int32_t)d->dim[1],
                                            .in_w = (int32_t)d->dim[2]}};
    /* where the window lies is of no concern to the axes: windows of one size share them */
    const chl_attributes of_axes = {
        .resize = {.filter = filter, .out_h = out_h, .out_w = out_w, .h = h, .w = w}};
    const bool sizes = h >= 1 && w >= 1 && out_h >= 1 && out_w >= 1; /* else the rule refuses */
    const chl_tensor in[2] = {x, sizes ? chl_emit1(g, CHL_OP_resize_axes, &of_axes, 0, NULL)
                                       : CHL_NONE};
    return chl_emit1(g, CHL_OP_resize, &attr, 2, in);
}
