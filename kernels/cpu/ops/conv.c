/* conv, conv_dx, conv_dw: plain convolution and its gradients. */
#include "cpu/conv/conv_algorithm.h"

/* --- conv: x w packed b? -> y --- */

static chl_kernel_status forward(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    const chl_conv_path path = chl_conv_forward_path(call);
    chl_conv_job job = chl_conv_job_with(a, path, call);
    chl_epilogue epilogue = {
        .kind = CHL_EPILOGUE_PLAIN, .pixels = job.out_h * job.out_w, .channels = a->o};
    epilogue.y = call->out[0];
    epilogue.accumulate = chl_accumulates(call, 0);
    epilogue.bias = call->in[3];
    chl_conv_run(a, path, &job, &epilogue, call->workspace);
    return CHL_KERNEL_OK;
}

/* --- conv_dx: dy w packed -> dx --- */

static chl_kernel_status dx(const chl_call *call) {
    const chl_conv_attributes a = chl_conv_backward_of(call);
    const chl_conv_path path = chl_conv_dx_path(call);
    chl_conv_job job = chl_conv_job_with(&a, path, call);
    if (path == CHL_PATH_SCATTER) {
        chl_scatter(&job, call->out[0], chl_accumulates(call, 0), call->workspace);
        return CHL_KERNEL_OK;
    }
    chl_epilogue epilogue = {
        .kind = CHL_EPILOGUE_PLAIN, .pixels = job.out_h * job.out_w, .channels = a.i};
    epilogue.y = call->out[0];
    epilogue.accumulate = chl_accumulates(call, 0);
    chl_conv_run(&a, path, &job, &epilogue, call->workspace);
    return CHL_KERNEL_OK;
}

/* --- conv_dw: dy x -> dw db --- */

static void bias_gradient(const float *dy, int64_t pixels, int64_t channels, float *db,
                          int accumulate) {
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < channels; c += CHL_LANES) {
        int64_t lanes = chl_min(CHL_LANES, channels - c);
        chl_vec sum = {0};
        for (int64_t p = 0; p < pixels; p++) sum += chl_load_part(dy + p * channels + c, lanes);
        if (accumulate) sum += chl_load_part(db + c, lanes);
        chl_store_part(db + c, sum, lanes);
    }
}

static chl_kernel_status dw(const chl_call *call) {
    const chl_conv_attributes *a = &call->attr.conv;
    chl_conv_job job = chl_conv_forward_job(a);
    job.x = call->in[1];
    const bool ok =
        !call->out[0] || chl_conv_dw(a, chl_conv_dw_path(call), &job, call->in[0], call->out[0],
                                     chl_accumulates(call, 0), call->workspace);
    if (call->out[1])
        bias_gradient(call->in[0], job.n * job.out_h * job.out_w, a->o, call->out[1],
                      chl_accumulates(call, 1));
    return ok ? CHL_KERNEL_OK : CHL_KERNEL_FAILED;
}

const chl_body chl_cpu_conv = {forward, chl_conv_workspace_forward, NULL};
const chl_body chl_cpu_conv_dx = {dx, chl_conv_workspace_dx, NULL};
const chl_body chl_cpu_conv_dw = {dw, chl_conv_workspace_dw, NULL};

/* --- the paths, of modconv and its gradients too --- */

static int32_t taken(const chl_call *call) {
    return (int32_t)chl_conv_forward_path(call);
}
static int32_t dx_taken(const chl_call *call) {
    return (int32_t)chl_conv_dx_path(call);
}
static int32_t dw_taken(const chl_call *call) {
    return (int32_t)chl_conv_dw_path(call);
}

const chl_paths chl_cpu_conv_paths = {CHL_CONV_PATHS, taken};
const chl_paths chl_cpu_conv_dx_paths = {CHL_CONV_PATHS, dx_taken};
const chl_paths chl_cpu_conv_dw_paths = {CHL_CONV_PATHS, dw_taken};
