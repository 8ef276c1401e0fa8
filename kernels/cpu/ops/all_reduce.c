/* y = the sum of the x of all ranks; its own gradient. y may lie on x. The gradient rule never adds
 * to what exists, so the accumulate bit is never set (host/graph/ops/collective.c). */
#include "collectives.h"
#include "cpu/lib/cpu.h"

static chl_kernel_status run(const chl_call *call) {
    const size_t count = (size_t)chl_count(&call->in_desc[0]);
    if (!call->out[0]) return CHL_KERNEL_OK;
    if (call->comm)
        return call->comm->kind->all_reduce(call->comm, call->in[0], call->out[0], count,
                                            call->stream);
    if (call->out[0] != call->in[0]) memcpy(call->out[0], call->in[0], count * sizeof(float));
    return CHL_KERNEL_OK;
}

const chl_body chl_cpu_all_reduce = {.run = run};
