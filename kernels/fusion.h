/* Which sequences of calls the CUDA kernels run as one (fusion_table.h), as far as shapes and
 * attributes decide it. Read by the kernels' `fits` and by bench/floors.c, which counts the bytes
 * they move. C11 and C++17. */
#ifndef CHL_FUSION_H
#define CHL_FUSION_H
#include "ops.h"

/* none of the first `count` calls adds to what is there */
static inline bool chl_none_accumulates(const chl_call *call, int count) {
    uint32_t any = 0;
    for (int i = 0; i < count; i++) any |= call[i].accumulate;
    return !any;
}
/* modconv_epilogue_backward: no gradient of noise strength and biases is wanted */
static inline bool chl_frozen_epilogue(const chl_call *epilogue) {
    return epilogue->out_desc[0].rank && !epilogue->out_desc[2].rank &&
           !epilogue->out_desc[3].rank && !(epilogue->accumulate & 1u);
}
/* torgb_backward: three colours; no gradient of weight and bias is wanted */
static inline bool chl_frozen_torgb(const chl_call *rgb) {
    return rgb->in_desc[3].dim[0] == 3 && !rgb->out_desc[2].rank && !rgb->out_desc[3].rank;
}
/* modconv, torgb: bf16, and a number of channels that one tile holds */
static inline bool chl_modconv_torgb_fits(const chl_call *call) {
    const chl_call *conv = &call[0], *rgb = &call[1];
    const int32_t o = conv->attr.conv.o;
    return !conv->attr.conv.up && conv->in_desc[0].dtype == CHL_BF16 &&
           (o == 32 || o == 64 || o == 128) && rgb->in_desc[1].dim[0] == 3 &&
           chl_none_accumulates(call, 2);
}
/* upsample_fir: of the colours, with a residual */
static inline bool chl_adds_colours(const chl_call *up) {
    return up->inputs > 1 && up->in_desc[1].rank && up->in_desc[0].dtype == CHL_F32 &&
           !up->accumulate;
}
/* torgb, upsample_fir */
static inline bool chl_torgb_upsample_fits(const chl_call *call) {
    return chl_adds_colours(call + 1) && !call->accumulate;
}
/* modconv, torgb, upsample_fir */
static inline bool chl_modconv_torgb_upsample_fits(const chl_call *call) {
    return chl_modconv_torgb_fits(call) && chl_adds_colours(call + 2);
}
/* upsample_fir_dx, each reading the one before: so small that one block computes a sample */
static inline bool chl_upsample_chain_fits(const chl_call *call) {
    const int64_t *dy = call->in_desc[0].dim;
    return call->in_desc[0].dtype == CHL_F32 && dy[1] * dy[2] <= 64 * 64 && dy[3] <= 4 &&
           chl_none_accumulates(call, 4);
}
/* modconv_dx, torgb_backward, modconv_epilogue_backward */
static inline bool chl_dx_torgb_epilogue_fits(const chl_call *call) {
    return chl_frozen_torgb(call + 1) && chl_frozen_epilogue(call + 2);
}
/* modconv_dx, modconv_epilogue_backward */
static inline bool chl_dx_epilogue_fits(const chl_call *call) {
    return chl_frozen_epilogue(call + 1);
}
/* torgb_backward, modconv_epilogue_backward */
static inline bool chl_torgb_epilogue_fits(const chl_call *call) {
    return chl_frozen_torgb(call) && chl_frozen_epilogue(call + 1);
}
/* The gate of squeeze and excitation [Hu et al. 2018]: linear, ReLU, linear, sigmoid, without
 * biases, small enough that one block computes a sample. With bf16 activations the weights must be
 * packed. */
#define CHL_GATE_CHANNELS 1024
#define CHL_GATE_HIDDEN 64
static inline bool chl_gate_weights(const chl_call *linear, int packed) {
    return linear->in_desc[0].dtype == CHL_F32 ||
           (linear->inputs > packed && linear->in_desc[packed].rank);
}
static inline bool chl_gate_fits(const chl_call *call) {
    const chl_desc *in = &call[0].in_desc[0], *hidden = &call[2].in_desc[0];
    return in->rank == 2 && in->dim[1] <= CHL_GATE_CHANNELS && hidden->dim[1] <= CHL_GATE_HIDDEN &&
           call[2].in_desc[1].dim[0] == in->dim[1] && !call[0].in_desc[2].rank &&
           !call[2].in_desc[2].rank && chl_gate_weights(call, 3) && chl_gate_weights(call + 2, 3) &&
           call[1].attr.activation.kind == CHL_LEAKY_RELU &&
           call[3].attr.activation.kind == CHL_SIGMOID && chl_none_accumulates(call, 4);
}
static inline bool chl_gate_backward_fits(const chl_call *call) {
    const chl_desc *dy = &call[0].in_desc[0], *hidden = &call[2].in_desc[0];
    return dy->rank == 2 && dy->dim[1] <= CHL_GATE_CHANNELS && hidden->dim[1] <= CHL_GATE_HIDDEN &&
           call[3].in_desc[1].dim[1] == dy->dim[1] && chl_gate_weights(call + 1, 2) &&
           chl_gate_weights(call + 3, 2) && call[0].attr.activation.kind == CHL_SIGMOID &&
           call[2].attr.activation.kind == CHL_LEAKY_RELU && chl_none_accumulates(call, 4);
}
/* batch_norm, mean_pool, the gate's four */
static inline bool chl_squeeze_fits(const chl_call *call) {
    return chl_none_accumulates(call, 2) && chl_gate_fits(call + 2);
}
/* batch_norm_backward: no gradient of gamma and beta is wanted */
static inline bool chl_frozen_norm(const chl_call *norm) {
    return norm->out_desc[0].rank && !norm->out_desc[1].rank && !norm->out_desc[2].rank;
}
/* batch_norm_backward, channel_scale_backward, the gate's gradient, mean_pool_dx,
 * batch_norm_backward */
static inline bool chl_unit_backward_fits(const chl_call *call) {
    return chl_frozen_norm(call) && chl_frozen_norm(call + 7) && call[1].out_desc[1].rank &&
           chl_none_accumulates(call + 1, 5) && call[6].accumulate == 1 &&
           chl_gate_backward_fits(call + 2);
}
/* A 3 x 3 convolution in bf16 for the tensor cores, so small that passes over its result cost more
 * than cuDNN's product is faster by: a prediction, 4 GFLOP are 5 us more at 340 TFLOP/s instead of
 * 600, what a pass over 8 million numbers takes. */
#define CHL_SMALL_CONV 4e9
static inline bool chl_small_conv(const chl_call *conv) {
    const chl_conv_attributes *a = &conv->attr.conv;
    return conv->in_desc[0].dtype == CHL_BF16 && conv->in_desc[2].rank && a->kernel == 3 &&
           (a->stride == 1 || a->stride == 2) && a->pad == 1 && !a->up && a->i % 8 == 0 &&
           a->o % 8 == 0 && !conv->accumulate &&
           18.0 * a->n * a->h * a->w * a->i * a->o <= CHL_SMALL_CONV * a->stride * a->stride;
}
/* conv, prelu */
static inline bool chl_conv_prelu_fits(const chl_call *call) {
    return chl_small_conv(call) && !call->in_desc[3].rank && !call[1].accumulate;
}
/* conv_dx, prelu_backward */
static inline bool chl_conv_dx_prelu_fits(const chl_call *call) {
    return chl_small_conv(call) && call[1].out_desc[0].rank && !call[1].out_desc[1].rank;
}
/* conv, the calls of squeeze */
static inline bool chl_conv_squeeze_fits(const chl_call *call) {
    return chl_small_conv(call) && !call->in_desc[3].rank && chl_squeeze_fits(call + 1);
}
/* conv_dx, the calls of unit_backward */
static inline bool chl_conv_unit_backward_fits(const chl_call *call) {
    return chl_small_conv(call) && chl_unit_backward_fits(call + 1);
}
/* A linear layer in bf16 for the tensor cores, of a frozen weight, so small that a pass over its
 * result costs more than cuBLASLt's product is faster by: a prediction, 2 GFLOP are 2.5 us more at
 * 340 TFLOP/s instead of 600, what a launch and a pass over 400 rows of 3072 take. */
#define CHL_SMALL_LINEAR 2e9
static inline bool chl_small_linear(const chl_call *linear, int packed) {
    const int64_t *w = linear->in_desc[1].dim, *x = linear->in_desc[0].dim;
    const int64_t width = x[linear->in_desc[0].rank - 1];
    const double rows = (double)(chl_count(&linear->in_desc[0]) / (width ? width : 1));
    return linear->in_desc[0].dtype == CHL_BF16 && linear->inputs > packed &&
           linear->in_desc[packed].rank && w[0] % 8 == 0 && w[1] % 8 == 0 && !linear->accumulate &&
           2 * rows * (double)w[0] * (double)w[1] <= CHL_SMALL_LINEAR;
}
static inline bool chl_bends(const chl_call *activation) {
    const chl_activation kind = activation->attr.activation.kind;
    return kind == CHL_GELU || kind == CHL_QUICK_GELU;
}
/* linear, activation */
static inline bool chl_linear_activation_fits(const chl_call *call) {
    return chl_small_linear(call, 3) && chl_bends(call + 1) && !call[1].accumulate;
}
/* linear_dx, activation_dx */
static inline bool chl_linear_dx_activation_fits(const chl_call *call) {
    return chl_small_linear(call, 2) && chl_bends(call + 1);
}
/* The calls of a generator's styles, one for each layer: floats, few samples, no weight packed. */
#define CHL_STYLE_SAMPLES 16
static inline bool chl_few_samples(const chl_desc *d) {
    return d->dtype == CHL_F32 && d->rank == 2 && d->dim[0] <= CHL_STYLE_SAMPLES;
}
static inline bool chl_selects_style(const chl_call *select) {
    const chl_desc *x = &select->in_desc[0];
    return x->dtype == CHL_F32 && x->dim[0] <= CHL_STYLE_SAMPLES && !select->in_desc[1].rank &&
           !select->accumulate;
}
static inline bool chl_makes_style(const chl_call *linear) {
    return chl_few_samples(&linear->in_desc[0]) && !linear->in_desc[3].rank && !linear->accumulate;
}
static inline bool chl_demodulates_style(const chl_call *demodulate) {
    return chl_few_samples(&demodulate->in_desc[0]) && !demodulate->accumulate;
}
static inline bool chl_selects_style_dx(const chl_call *select) {
    return chl_few_samples(&select->in_desc[0]) && !select->in_desc[1].rank;
}
static inline bool chl_makes_style_dx(const chl_call *linear) {
    return chl_few_samples(&linear->in_desc[0]) && !linear->in_desc[2].rank;
}
static inline bool chl_demodulates_style_backward(const chl_call *demodulate) {
    return chl_few_samples(&demodulate->in_desc[0]) && demodulate->out_desc[0].rank &&
           !demodulate->out_desc[1].rank;
}
/* sum: a + b */
static inline bool chl_plain_sum(const chl_call *sum) {
    return sum->inputs == 2 && sum->in_desc[0].rank && sum->in_desc[1].rank &&
           sum->attr.sum.c[0] == 1 && sum->attr.sum.c[1] == 1 && sum->attr.sum.bias == 0 &&
           !sum->accumulate;
}
/* sum, layer_norm: rows that fit the registers of a warp */
static inline bool chl_sum_layer_norm_fits(const chl_call *call) {
    const chl_desc *x = &call[1].in_desc[0];
    const int64_t width = x->dim[x->rank - 1];
    return chl_plain_sum(call) && width % 8 == 0 && width <= 1024 && !call[1].accumulate;
}
/* channel_scale, sum, batch_norm */
static inline bool chl_unit_end_fits(const chl_call *call) {
    return chl_plain_sum(call + 1) && !call[0].accumulate && !call[2].accumulate;
}
static inline bool chl_equal_widths(const chl_desc *a, const chl_desc *b) {
    return a->dim[a->rank - 1] == b->dim[b->rank - 1];
}
/* row_norm, row_norm, row_dot, sum: rows of equal width, divided by their lengths; c cosine + bias.
 * A reshape may lie between norm and dot: their rows must be the same. */
static inline bool chl_cosine_fits(const chl_call *call) {
    const chl_call *sum = call + 3;
    return call[0].attr.norm.kind == CHL_NORM_L2 && call[1].attr.norm.kind == CHL_NORM_L2 &&
           chl_equal_widths(&call[0].in_desc[0], &call[2].in_desc[0]) &&
           chl_equal_widths(&call[1].in_desc[0], &call[2].in_desc[1]) && sum->inputs == 1 &&
           chl_none_accumulates(call, 4);
}
/* row_dot_backward, row_norm_dx: one of the two rows is a target, and both have the same rows */
static inline bool chl_cosine_dx_fits(const chl_call *call) {
    return call->out_desc[0].rank && !call->out_desc[1].rank && !call->accumulate &&
           chl_equal_widths(&call[0].in_desc[1], &call[1].in_desc[1]);
}
/* sum, sum, mean, sum: of some numbers for each sample */
#define CHL_FEW_LOSSES 4096
static inline bool chl_mean_of_sums_fits(const chl_call *call) {
    return call->out_desc[0].dtype == CHL_F32 && call[3].inputs == 1 &&
           chl_count(&call->out_desc[0]) <= CHL_FEW_LOSSES && chl_none_accumulates(call, 4);
}
#endif
