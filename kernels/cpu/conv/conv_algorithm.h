/* Runs the algorithm of a path, which the rule (conv_rule.h) chooses: for the forward map, or for
 * the data gradient where a->backward is set. */
#ifndef CHL_CPU_CONV_ALGORITHM_H
#define CHL_CPU_CONV_ALGORITHM_H
#include "cpu/conv/conv_rule.h"

/* The data gradient of the call's convolution. */
static inline chl_conv_attributes chl_conv_backward_of(const chl_call *call) {
    chl_conv_attributes a = call->attr.conv;
    a.backward = 1;
    return a;
}

/* The sizes; the caller sets x, weights and style. */
chl_conv_job chl_conv_job_of(const chl_conv_attributes *a, chl_conv_path path);
size_t chl_conv_workspace(const chl_conv_attributes *a, chl_conv_path path);
/* The same of a call x w packed ..., or dy w packed ..., with its arrays. */
chl_conv_job chl_conv_job_with(const chl_conv_attributes *a, chl_conv_path path,
                               const chl_call *call);
/* The paths of the three bodies of a convolution, as asked for or by the rule, and what they need. */
chl_conv_path chl_conv_forward_path(const chl_call *call);
chl_conv_path chl_conv_dx_path(const chl_call *call);
chl_conv_path chl_conv_dw_path(const chl_call *call);
size_t chl_conv_workspace_forward(const chl_call *call);
size_t chl_conv_workspace_dx(const chl_call *call);
size_t chl_conv_workspace_dw(const chl_call *call);
/* Any path but CHL_PATH_SCATTER, which has no epilogue. */
void chl_conv_run(const chl_conv_attributes *a, chl_conv_path path, const chl_conv_job *job,
                  const chl_epilogue *epilogue, float *workspace);

/* The weight gradient, as chl_weight_gradient: the job is the forward's. */
size_t chl_conv_dw_workspace(const chl_conv_attributes *a, chl_conv_path path);
bool chl_conv_dw(const chl_conv_attributes *a, chl_conv_path path, const chl_conv_job *job,
                 const float *dy, float *dw, bool accumulate, float *workspace)
    __attribute__((warn_unused_result));
#endif
