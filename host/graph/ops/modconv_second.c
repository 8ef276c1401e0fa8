/* Second derivatives of the modulated convolution: the gradient rules of its three backward rows,
 * composed of unfused ones. StyleGAN2's path length regularisation [Karras et al. 2020, section
 * 3.2] needs them: the gradient of |d<y, n>/dw| with respect to the weights.
 *
 * Without up-sampling the convolution is `conv`. With it, it is a stride-2 transposed convolution
 * by w followed by the filter f = [1,3,3,1]/4 in each direction. Written over the map with zeros
 * inserted between its pixels, with z[2p] = x[p] and size 2h-1, that is one 6 x 6 convolution:
 *
 *     y[r] = sum_k f[k] sum_j z[r-1+k-j] w[j] = sum_u z[r+u-3] e[u],   e[u] = sum_{k-j+2=u} f[k]
 * w[j]
 *
 * e is a linear map of w's nine taps. Zeros are inserted by the data gradient of a 1 x 1
 * convolution with stride 2 and the unit matrix as its weight. */
#include "graph/ops/modconv_second.h"
#include "graph/ops/compose.h"
#include "graph/ops/conv_shape.h"
#include <math.h>

#define TAPS 9
#define WIDE 6

/* --- a plain convolution and its two gradients ------------------------------------------------ */
static chl_tensor packed(chl_graph *g, chl_tensor w, chl_attributes *attr, int backward) {
    attr->conv.backward = backward;
    return chl_emit1(g, CHL_OP_conv_pack, attr, 1, &w);
}
static chl_tensor conv_dx(chl_graph *g, chl_attributes attr, chl_tensor dy, chl_tensor w) {
    const chl_tensor pack = packed(g, w, &attr, 1);
    return chl_emit1(g, CHL_OP_conv_dx, &attr, 3, (chl_tensor[]){dy, w, pack});
}
static chl_tensor conv_dw(chl_graph *g, chl_attributes attr, chl_tensor dy, chl_tensor x) {
    return chl_emit1(g, CHL_OP_conv_dw, &attr, 2, (chl_tensor[]){dy, x});
}

/* of the convolution that takes g back to the map, over the map with zeros if `up` */
static chl_attributes plain(const chl_conv_attributes *a) {
    chl_attributes attr = {.conv = {.kernel = a->kernel,
                                    .stride = 1,
                                    .pad = a->pad,
                                    .n = a->n,
                                    .h = a->h,
                                    .w = a->w,
                                    .i = a->i,
                                    .o = a->o,
                                    .gain = 1}};
    if (a->up) {
        attr.conv.kernel = WIDE;
        attr.conv.pad = 3;
        attr.conv.h = 2 * a->h - 1;
        attr.conv.w = 2 * a->w - 1;
    }
    return attr;
}

/* --- up-sampling ------------------------------------------------------------------------------ */
/* e's taps from w's: [36, 9] */
static chl_tensor spread_matrix(chl_graph *g) {
    static const float f[4] = {0.25f, 0.75f, 0.75f, 0.25f};
    float m[WIDE * WIDE * TAPS] = {0};
    for (int k = 0; k < 16; k++)
        for (int j = 0; j < TAPS; j++) {
            const int row = k / 4 - j / 3 + 2, column = k % 4 - j % 3 + 2;
            m[(row * WIDE + column) * TAPS + j] += f[k / 4] * f[k % 4];
        }
    return chl_constant(g, NULL, chl_f32(2, WIDE * WIDE, TAPS), m);
}
static float on_diagonal(const void *width, int64_t i) {
    return i % (*(const int32_t *)width + 1) == 0;
}
static chl_tensor unit_matrix(chl_graph *g, int32_t width) {
    return chl_values(g, chl_f32(4, width, width, 1, 1), on_diagonal, &width);
}
static chl_attributes sampling(const chl_conv_attributes *a) {
    return (chl_attributes){.conv = {.kernel = 1,
                                     .stride = 2,
                                     .n = a->n,
                                     .h = 2 * a->h - 1,
                                     .w = 2 * a->w - 1,
                                     .i = a->i,
                                     .o = a->i,
                                     .gain = 1}};
}
static chl_tensor with_zeros(chl_graph *g, const chl_conv_attributes *a, chl_tensor x) {
    return a->up ? conv_dx(g, sampling(a), x, unit_matrix(g, a->i)) : x;
}
static chl_tensor without_zeros(chl_graph *g, const chl_conv_attributes *a, chl_tensor z) {
    if (!a->up) return z;
    const chl_tensor w = unit_matrix(g, a->i);
    return chl_conv(g, z, w, CHL_NONE, 2, 0);
}
static chl_tensor weight_of(chl_graph *g, const chl_conv_attributes *a, chl_tensor w) {
    if (!a->up) return w;
    const chl_tensor rows = chl_reshape(g, w, chl_f32(2, a->o * a->i, TAPS));
    const chl_tensor e = chl_linear(g, rows, spread_matrix(g), CHL_NONE);
    return chl_reshape(g, e, chl_f32(4, a->o, a->i, WIDE, WIDE));
}
static chl_tensor weight_back(chl_graph *g, const chl_conv_attributes *a, chl_tensor de) {
    const chl_attributes one = {.linear = {.gain = 1, .bias_gain = 1}};
    if (!a->up) return de;
    const chl_tensor rows = chl_reshape(g, de, chl_f32(2, a->o * a->i, WIDE * WIDE));
    const chl_tensor dw =
        chl_emit1(g, CHL_OP_linear_dx, &one, 2, (chl_tensor[]){rows, spread_matrix(g)});
    return chl_reshape(g, dw, chl_conv_w(a));
}

/* --- modconv_dx: g w packed s x? -> dx ds ----------------------------------------------------- */
void chl_compose_modconv_dx(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_conv_attributes *a = &c->node.attr.conv;
    const chl_tensor wide = conv_dx(g, plain(a), in[0], weight_of(g, a, in[1]));
    const chl_tensor back = chl_scale(g, without_zeros(g, a, wide), a->gain);
    out[0] = chl_channel_scale(g, back, in[3]);
    if (in[4] == CHL_NONE) return;
    chl_tensor both[2];
    chl_emit(g, CHL_OP_channel_scale_backward, NULL, 3, (chl_tensor[]){back, in[4], in[3]}, 2,
             both);
    out[1] = both[1];
}

/* --- modconv_dw: g x s -> dw ------------------------------------------------------------------ */
void chl_compose_modconv_dw(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_conv_attributes *a = &c->node.attr.conv;
    const chl_tensor map = with_zeros(g, a, chl_channel_scale(g, in[1], in[2]));
    out[0] = chl_scale(g, weight_back(g, a, conv_dw(g, plain(a), in[0], map)), a->gain);
}

/* --- modconv_epilogue_backward: dy y d? noise? strength? b? -> g dd dstrength db -------------- */
/* noise [H',W'] or [N,H',W'] for every channel */
static chl_tensor noise_map(chl_graph *g, chl_tensor noise, chl_desc y) {
    const chl_desc each = chl_make_desc(CHL_F32, 3, y.dim);
    const chl_tensor all = chl_repeat_to(g, noise, each);
    return chl_reshape(g, chl_spread_rows(g, all, y.dim[3]), y);
}

/* dz = dy act_gain (y > 0 ? 1 : slope), 0 where |y| reached the clamp */
static chl_tensor before_activation(chl_gradient *c, chl_tensor dy, chl_tensor y) {
    chl_graph *g = c->graph;
    const chl_conv_attributes *a = &c->node.attr.conv;
    const chl_attributes relu = {.activation = {CHL_LEAKY_RELU, a->slope}};
    const float inside = nextafterf(a->clamp, 0);
    const chl_attributes between = {.channel_affine = {-inside, inside}};
    chl_tensor dz = chl_emit1(g, CHL_OP_activation_dx, &relu, 2, (chl_tensor[]){dy, y});
    dz = chl_scale(g, dz, a->act_gain);
    if (!(a->clamp > 0)) return dz;
    const chl_tensor one = chl_filled(g, chl_vector(a->o), 1);
    return chl_emit1(g, CHL_OP_channel_affine_dx, &between, 3, (chl_tensor[]){dz, y, one});
}

static void compose_epilogue(chl_gradient *c, const chl_tensor *in, chl_tensor *out) {
    chl_graph *g = c->graph;
    const chl_conv_attributes *a = &c->node.attr.conv;
    const chl_tensor y = in[1], d = in[2], strength = in[4], b = in[5];
    const chl_desc shape = *chl_desc_of(g, y);
    const chl_tensor dz = before_activation(c, in[0], y);
    const chl_tensor noise = in[3] == CHL_NONE ? CHL_NONE : noise_map(g, in[3], shape);
    const chl_attributes bias = {.like = chl_vector(a->o)};
    out[0] = d == CHL_NONE ? dz : chl_channel_scale(g, dz, d);
    out[3] = chl_emit1(g, CHL_OP_add_bias_db, &bias, 1, &dz);
    if (noise != CHL_NONE)
        out[2] = chl_scale(g, chl_mean(g, chl_mul(g, dz, noise)), (float)chl_count(&shape));
    if (d == CHL_NONE) return;
    /* the convolution's own value times d: z - strength noise - b */
    chl_tensor raw =
        chl_scale(g, chl_activate(g, y, CHL_LEAKY_RELU, 1 / a->slope), 1 / a->act_gain);
    if (noise != CHL_NONE)
        raw = chl_combine(g, 1, raw, -1, chl_mul(g, noise, chl_spread(g, strength, shape)));
    if (b != CHL_NONE) raw = chl_add_bias(g, raw, chl_scale(g, b, -1));
    chl_tensor both[2];
    chl_emit(g, CHL_OP_channel_scale_backward, NULL, 3, (chl_tensor[]){dz, raw, d}, 2, both);
    out[1] = chl_mul(g, both[1], chl_inverse(g, d));
}
void chl_gradient_modconv_epilogue(chl_gradient *c) {
    if (c->wanted[3])
        chl_graph_fail(c->graph, CHL_ERR_UNSUPPORTED,
                       "modconv_epilogue_backward has no gradient to the noise");
    chl_backprop_composed(c, compose_epilogue);
}
