/* The modulated convolution [Karras et al. 2020, section 2.2] with activations scaled instead of
 * weights:
 *
 *     y = clamp(gain * lrelu(d * conv(x * s, w) + strength * noise + b))
 *
 * The algorithm multiplies by s where it reads x and applies everything after the convolution where
 * it writes y. The backward recovers the pre-activation from y (the leaky ReLU can be inverted), so
 * the forward saves nothing else, and sums the style gradient ds[n,i] = sum over pixels of x *
 * dgrad while it writes the data gradient: the backward costs one convolution. */
#include "cpu/conv/conv_rule.h"
#include "cpu/conv/conv_up_tiles.h"
#include "cpu/conv/winograd.h"

/* --- modconv: x w packed s d? noise? strength? b? -> y --- */

static size_t forward_workspace(const chl_call *call) {
    chl_conv_job job = chl_conv_forward_job(&call->attr.conv);
    switch (chl_conv_path_of(&call->attr.conv)) {
    case CHL_PATH_UP:
        return chl_up_workspace(&job);
    case CHL_PATH_UP_TILES:
        return chl_up_tiles_workspace(&job);
    case CHL_PATH_WINOGRAD:
        return chl_winograd_workspace(&job);
    default:
        return chl_direct_workspace(&job);
    }
}

static chl_kernel_status forward(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    chl_conv_job job = chl_conv_forward_job(a);
    job.x = call->in[0];
    job.packed = call->in[2];
    job.style = call->in[3];
    chl_epilogue epilogue = {
        .kind = CHL_EPILOGUE_ACTIVATE, .pixels = job.out_h * job.out_w, .channels = a->o};
    epilogue.y = call->out[0];
    epilogue.accumulate = chl_accumulates(call, 0);
    epilogue.scale = call->in[4];
    epilogue.noise = call->in[6] ? call->in[5] : NULL;
    if (epilogue.noise) {
        epilogue.strength = *(const float *)call->in[6];
        epilogue.noise_step = call->in_desc[5].rank == 3 ? epilogue.pixels : 0;
    }
    epilogue.bias = call->in[7];
    epilogue.slope = a->slope;
    epilogue.gain = a->act_gain;
    epilogue.clamp = a->clamp;
    switch (chl_conv_path_of(a)) {
    case CHL_PATH_UP:
        chl_up(&job, &epilogue, call->workspace);
        break;
    case CHL_PATH_UP_TILES:
        chl_up_tiles(&job, &epilogue, call->workspace);
        break;
    case CHL_PATH_WINOGRAD:
        chl_winograd(&job, &epilogue, call->workspace);
        break;
    default:
        chl_direct(&job, &epilogue, call->workspace);
    }
    return CHL_KERNEL_OK;
}

/* --- modconv_dx: g w packed s x? -> dx ds --- */

static chl_conv_attributes backward_attributes(const chl_call *call) {
    chl_conv_attributes a = call->attr.conv;
    a.backward = 1;
    return a;
}

static size_t dx_workspace(const chl_call *call) {
    chl_conv_attributes a = backward_attributes(call);
    chl_conv_path path = chl_conv_path_of(&a);
    chl_conv_job job = a.up ? chl_conv_forward_job(&a) : chl_conv_backward_job(&a);
    switch (path) {
    case CHL_PATH_UP_BACKWARD:
        return chl_up_backward_workspace(&job);
    case CHL_PATH_UP_TILES_BACKWARD:
        return chl_up_tiles_backward_workspace(&job);
    case CHL_PATH_WINOGRAD:
        return chl_winograd_workspace(&job);
    default:
        return chl_direct_workspace(&job);
    }
}

static chl_kernel_status dx(const chl_call *call) {
    chl_conv_attributes a = backward_attributes(call);
    chl_conv_path path = chl_conv_path_of(&a);
    chl_conv_job job = a.up ? chl_conv_forward_job(&a) : chl_conv_backward_job(&a);
    job.x = call->in[0];
    job.packed = call->in[2];
    chl_epilogue epilogue = {
        .kind = CHL_EPILOGUE_GRADIENT, .pixels = (int64_t)a.h * a.w, .channels = a.i};
    epilogue.y = call->out[0];
    epilogue.accumulate = chl_accumulates(call, 0);
    epilogue.scale = call->in[3];
    epilogue.x = call->in[4];
    epilogue.dscale = call->in[4] ? call->out[1] : NULL;
    epilogue.dscale_accumulate = chl_accumulates(call, 1);
    switch (path) {
    case CHL_PATH_UP_BACKWARD:
        chl_up_backward(&job, &epilogue, call->workspace);
        break;
    case CHL_PATH_UP_TILES_BACKWARD:
        chl_up_tiles_backward(&job, &epilogue, call->workspace);
        break;
    case CHL_PATH_WINOGRAD:
        chl_winograd(&job, &epilogue, call->workspace);
        break;
    default:
        chl_direct(&job, &epilogue, call->workspace);
    }
    return CHL_KERNEL_OK;
}

/* --- modconv_dw: g x s -> dw --- */

static size_t dw_workspace(const chl_call *call) {
    chl_conv_job job = chl_conv_forward_job(&call->attr.conv);
    switch (chl_conv_dw_path_of(&call->attr.conv)) {
    case CHL_PATH_UP:
        return chl_up_weight_gradient_workspace(&job);
    case CHL_PATH_WINOGRAD:
        return chl_winograd_dw_workspace(&job);
    default:
        return chl_weight_gradient_workspace(&job);
    }
}

static chl_kernel_status dw(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    chl_conv_job job = chl_conv_forward_job(a);
    job.x = call->in[1];
    job.style = call->in[2];
    const float *g = call->in[0];
    bool accumulate = chl_accumulates(call, 0);
    switch (chl_conv_dw_path_of(a)) {
    case CHL_PATH_UP:
        chl_up_weight_gradient(&job, g, a->gain, call->out[0], accumulate, call->workspace);
        break;
    case CHL_PATH_WINOGRAD:
        chl_winograd_dw(&job, g, a->gain, call->out[0], accumulate, call->workspace);
        break;
    default:
        if (!chl_weight_gradient(&job, g, a->gain, call->out[0], accumulate, call->workspace))
            return CHL_KERNEL_FAILED;
    }
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_modconv = {forward, forward_workspace, NULL};
const chl_body chl_cpu_modconv_dx = {dx, dx_workspace, NULL};
const chl_body chl_cpu_modconv_dw = {dw, dw_workspace, NULL};
