// A squeeze-and-excitation unit between its second convolution and its end, forward and back, as one
// call each (kernels/fusion_table.h). Two launches forward: the norm sums what it writes over the
// pixels, and a block for each sample adds the sums and computes the gate. Three back: the norm that
// followed the unit, whose result is summed with x at once; the gate's gradient; the gradient of the
// unit's own norm, from which the channels' gates and the mean's gradient are not stored. Bytes
// (bf16) an element: 4 forward, not 6; back 12 with a residual, not 20. Bound by memory, and below
// some 10^6 elements by the launches, of which there were four and six.
#include "cuda/lib/squeeze.cuh"

namespace {
// call: batch_norm mean_pool linear activation linear activation
size_t forward_workspace(const chl_call *call) {
    return chl::columns_workspace(chl::groups_of(call->in_desc[0]), call->in_desc[0].dtype, 1);
}
chl_kernel_status forward(const chl_call *call) {
    const chl::view v = chl::groups_of(call->in_desc[0]);
    float *partial = static_cast<float *>(call->workspace);
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        int64_t parts;
        const chl_kernel_status status =
            chl::columns_parts<T>(call, v, squeeze::normalised_sum_of<T>(call), partial, &parts);
        return status == CHL_KERNEL_OK ? squeeze::excite<T>(call, partial, parts) : status;
    });
}

// call: batch_norm_backward channel_scale_backward activation_dx linear_dx activation_dx linear_dx
// mean_pool_dx batch_norm_backward
size_t backward_workspace(const chl_call *call) {
    const chl_desc &x = call[1].in_desc[1];
    return chl::columns_workspace(chl::groups_of(x), x.dtype, 1);
}
chl_kernel_status backward(const chl_call *call) {
    const chl::view v = chl::groups_of(call[1].in_desc[1]);
    float *partial = static_cast<float *>(call->workspace);
    return chl::by_type(call->in_desc[0].dtype, [&](auto zero) {
        using T = decltype(zero);
        int64_t parts;
        const chl_kernel_status status =
            chl::columns_parts<T>(call, v, squeeze::total_sum_of<T>(call), partial, &parts);
        return status == CHL_KERNEL_OK ? squeeze::unit_gradient<T>(call, partial, parts) : status;
    });
}
} // namespace

const chl_fused_body chl_cuda_squeeze = {forward, forward_workspace, chl_squeeze_fits};
const chl_fused_body chl_cuda_unit_backward = {backward, backward_workspace,
                                               chl_unit_backward_fits};
