/* Sizes of a convolution, told by its attributes. */
#ifndef CHL_CORE_OPS_CONV_SHAPE_H
#define CHL_CORE_OPS_CONV_SHAPE_H
#include "graph/ops/expect.h"

static inline int64_t chl_conv_extent(int64_t in, const chl_conv_attributes *a) {
    return a->up ? 2 * in : (in + 2 * a->pad - a->kernel) / a->stride + 1;
}
static inline chl_desc chl_conv_x(const chl_conv_attributes *a) {
    return chl_f32(4, a->n, a->h, a->w, a->i);
}
static inline chl_desc chl_conv_w(const chl_conv_attributes *a) {
    return chl_f32(4, a->o, a->i, a->kernel, a->kernel);
}
static inline chl_desc chl_conv_y(const chl_conv_attributes *a) {
    return chl_f32(4, a->n, (int)chl_conv_extent(a->h, a), (int)chl_conv_extent(a->w, a), a->o);
}
static inline double chl_conv_flops(const chl_shapes *s) {
    const chl_conv_attributes *a = &s->attr->conv;
    const double pixels =
        a->up ? (double)a->n * a->h * a->w
              : (double)a->n * (double)chl_conv_extent(a->h, a) * (double)chl_conv_extent(a->w, a);
    return 2 * pixels * a->kernel * a->kernel * a->i * a->o;
}
/* Fills the sizes of `a` from x [N,H,W,I] and w [O,I,K,K]; kernel, stride, pad and up are there. */
static inline chl_status chl_conv_sizes(const chl_desc *x, const chl_desc *w,
                                        chl_conv_attributes *a) {
    CHL_EXPECT(x->rank == 4 && w->rank == 4, "x must be [N,H,W,I] and w [O,I,K,K]");
    CHL_EXPECT(w->dim[2] == w->dim[3], "w must be square, [O,I,K,K]");
    CHL_EXPECT(w->dim[1] == x->dim[3], "w takes %" PRId64 " channels, x has %" PRId64, w->dim[1],
               x->dim[3]);
    a->n = (int32_t)x->dim[0];
    a->h = (int32_t)x->dim[1];
    a->w = (int32_t)x->dim[2];
    a->i = (int32_t)x->dim[3];
    a->o = (int32_t)w->dim[0];
    a->kernel = (int32_t)w->dim[2];
    CHL_EXPECT(a->stride >= 1 && a->pad >= 0, "stride %d, padding %d", a->stride, a->pad);
    CHL_EXPECT(a->h + 2 * a->pad >= a->kernel && a->w + 2 * a->pad >= a->kernel,
               "a %dx%d kernel does not fit into %dx%d with padding %d", a->kernel, a->kernel, a->h,
               a->w, a->pad);
    return CHL_OK;
}
#endif
