/* y = the x of all ranks, one after another; reduce_scatter, its gradient: y = this rank's part of
 * the sum of the x of all ranks. The gradient rules never add to what exists, so the accumulate bit
 * is never set (host/graph/ops/collective.c). */
#include "collectives.h"
#include "cpu/lib/cpu.h"

static chl_kernel_status gather(const chl_call *call) {
    const size_t bytes = (size_t)chl_bytes(&call->in_desc[0]);
    if (!call->out[0]) return CHL_KERNEL_OK;
    if (call->comm)
        return call->comm->kind->all_gather(call->comm, call->in[0], call->out[0], bytes,
                                            call->stream);
    memcpy(call->out[0], call->in[0], bytes);
    return CHL_KERNEL_OK;
}

static chl_kernel_status scatter(const chl_call *call) {
    const size_t count = (size_t)chl_count(&call->out_desc[0]);
    if (!call->out[0]) return CHL_KERNEL_OK;
    if (call->comm)
        return call->comm->kind->reduce_scatter(call->comm, call->in[0], call->out[0], count,
                                                call->stream);
    memcpy(call->out[0], call->in[0], count * sizeof(float));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_all_gather = {.run = gather};
const chl_body chl_cpu_reduce_scatter = {.run = scatter};
