// y = the x of all ranks, one after another; reduce_scatter, its gradient: y = this rank's part of
// the sum of the x of all ranks. The communicator queues its work on the call's stream. The
// gradient rules never add to what exists, so the accumulate bit is never set.
#include "cuda/lib/between_ranks.cuh"

namespace {
chl_kernel_status gather(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    if (!call->comm) return chl::copy_alone(call);
    return call->comm->kind->all_gather(call->comm, call->in[0], call->out[0],
                                        size_t(chl_bytes(&call->in_desc[0])), call->stream);
}

chl_kernel_status scatter(const chl_call *call) {
    if (!call->out[0]) return CHL_KERNEL_OK;
    if (!call->comm) return chl::copy_alone(call);
    return call->comm->kind->reduce_scatter(call->comm, chl::in<float>(call, 0),
                                            chl::out<float>(call, 0),
                                            size_t(chl_count(&call->out_desc[0])), call->stream);
}
} // namespace

const chl_body chl_cuda_all_gather = {gather, nullptr, nullptr};
const chl_body chl_cuda_reduce_scatter = {scatter, nullptr, nullptr};
