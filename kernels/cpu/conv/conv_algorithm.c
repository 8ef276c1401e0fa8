#include "cpu/conv/conv_algorithm.h"
#include "cpu/conv/conv_up_tiles.h"
#include "cpu/conv/winograd.h"

static const struct algorithm {
    size_t (*workspace)(const chl_conv_job *job);
    void (*run)(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace);
} algorithms[][2] = {
    /* forward, data gradient */
    [CHL_PATH_DIRECT] = {{chl_direct_workspace, chl_direct}, {chl_direct_workspace, chl_direct}},
    [CHL_PATH_SCATTER] = {{NULL, NULL}, {chl_scatter_workspace, NULL}},
    [CHL_PATH_WINOGRAD] = {{chl_winograd_workspace, chl_winograd},
                           {chl_winograd_workspace, chl_winograd}},
    [CHL_PATH_UP] = {{chl_up_workspace, chl_up}, {chl_up_backward_workspace, chl_up_backward}},
    [CHL_PATH_UP_TILES] = {{chl_up_tiles_workspace, chl_up_tiles},
                           {chl_up_tiles_backward_workspace, chl_up_tiles_backward}},
};

static const struct algorithm *algorithm_of(const chl_conv_attributes *a, chl_conv_path path) {
    return &algorithms[path][a->backward ? 1 : 0];
}

/* Only the gradient of a stride-1 convolution is computed as a convolution of dy. */
chl_conv_job chl_conv_job_of(const chl_conv_attributes *a, chl_conv_path path) {
    const bool rotated = a->backward && !a->up && path != CHL_PATH_SCATTER;
    return rotated ? chl_conv_backward_job(a) : chl_conv_forward_job(a);
}

size_t chl_conv_workspace(const chl_conv_attributes *a, chl_conv_path path) {
    const chl_conv_job job = chl_conv_job_of(a, path);
    return algorithm_of(a, path)->workspace(&job);
}

void chl_conv_run(const chl_conv_attributes *a, chl_conv_path path, const chl_conv_job *job,
                  const chl_epilogue *epilogue, float *workspace) {
    algorithm_of(a, path)->run(job, epilogue, workspace);
}

size_t chl_conv_dw_workspace(const chl_conv_attributes *a, chl_conv_path path) {
    const chl_conv_job job = chl_conv_forward_job(a);
    switch (path) {
    case CHL_PATH_UP:
        return chl_up_weight_gradient_workspace(&job);
    case CHL_PATH_WINOGRAD:
        return chl_winograd_dw_workspace(&job);
    default:
        return chl_weight_gradient_workspace(&job);
    }
}

bool chl_conv_dw(const chl_conv_attributes *a, chl_conv_path path, const chl_conv_job *job,
                 const float *dy, float *dw, bool accumulate, float *workspace) {
    switch (path) {
    case CHL_PATH_UP:
        chl_up_weight_gradient(job, dy, a->gain, dw, accumulate, workspace);
        return true;
    case CHL_PATH_WINOGRAD:
        chl_winograd_dw(job, dy, a->gain, dw, accumulate, workspace);
        return true;
    default:
        return chl_weight_gradient(job, dy, a->gain, dw, accumulate, workspace);
    }
}

chl_conv_job chl_conv_job_with(const chl_conv_attributes *a, chl_conv_path path,
                               const chl_call *call) {
    chl_conv_job job = chl_conv_job_of(a, path);
    job.x = call->in[0];
    job.packed = call->in[2];
    return job;
}

chl_conv_path chl_conv_forward_path(const chl_call *call) {
    return chl_conv_path_of(&call->attr.conv, call->path);
}

chl_conv_path chl_conv_dx_path(const chl_call *call) {
    const chl_conv_attributes a = chl_conv_backward_of(call);
    return chl_conv_path_of(&a, call->path);
}

chl_conv_path chl_conv_dw_path(const chl_call *call) {
    return chl_conv_dw_path_of(&call->attr.conv, call->path);
}

size_t chl_conv_workspace_forward(const chl_call *call) {
    return chl_conv_workspace(&call->attr.conv, chl_conv_forward_path(call));
}

size_t chl_conv_workspace_dx(const chl_call *call) {
    const chl_conv_attributes a = chl_conv_backward_of(call);
    return chl_conv_workspace(&a, chl_conv_dx_path(call));
}

size_t chl_conv_workspace_dw(const chl_call *call) {
    return chl_conv_dw_workspace(&call->attr.conv, chl_conv_dw_path(call));
}
