/* The modulated convolution [Karras et al. 2020, section 2.2] with activations scaled instead of
 * weights:
 *
 *     y = clamp(gain * lrelu(d * conv(x * s, w) + strength * noise + b))
 *
 * The algorithm multiplies by s where it reads x and applies everything after the convolution where
 * it writes y. The backward recovers the pre-activation from y (the leaky ReLU can be inverted), so
 * the forward saves nothing else, and sums the style gradient ds[n,i] = sum over pixels of x *
 * dgrad while it writes the data gradient: the backward costs one convolution. */
#include "cpu/conv/conv_algorithm.h"

/* --- modconv: x w packed s d? noise? strength? b? -> y --- */

static chl_kernel_status forward(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    const chl_conv_path path = chl_conv_forward_path(call);
    chl_conv_job job = chl_conv_job_with(a, path, call);
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
    chl_conv_run(a, path, &job, &epilogue, call->workspace);
    return CHL_KERNEL_OK;
}

/* --- modconv_dx: g w packed s x? -> dx ds --- */

static chl_kernel_status dx(const chl_call *call) {
    const chl_conv_attributes a = chl_conv_backward_of(call);
    const chl_conv_path path = chl_conv_dx_path(call);
    chl_conv_job job = chl_conv_job_with(&a, path, call);
    chl_epilogue epilogue = {
        .kind = CHL_EPILOGUE_GRADIENT, .pixels = (int64_t)a.h * a.w, .channels = a.i};
    epilogue.y = call->out[0];
    epilogue.accumulate = chl_accumulates(call, 0);
    epilogue.scale = call->in[3];
    epilogue.x = call->in[4];
    epilogue.dscale = call->in[4] ? call->out[1] : NULL;
    epilogue.dscale_accumulate = chl_accumulates(call, 1);
    chl_conv_run(&a, path, &job, &epilogue, call->workspace);
    return CHL_KERNEL_OK;
}

/* --- modconv_dw: g x s -> dw --- */

static chl_kernel_status dw(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    chl_conv_job job = chl_conv_forward_job(a);
    job.x = call->in[1];
    job.style = call->in[2];
    return chl_conv_dw(a, chl_conv_dw_path(call), &job, call->in[0], call->out[0],
                       chl_accumulates(call, 0), call->workspace)
               ? CHL_KERNEL_OK
               : CHL_KERNEL_FAILED;
}

const chl_body chl_cpu_modconv = {forward, chl_conv_workspace_forward, NULL};
const chl_body chl_cpu_modconv_dx = {dx, chl_conv_workspace_dx, NULL};
const chl_body chl_cpu_modconv_dw = {dw, chl_conv_workspace_dw, NULL};
