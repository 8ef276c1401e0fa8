// The bodies of kernels/fusion_table.h, one `chl_cuda_<name>` per line of it.
#pragma once
#include "ops.h"

extern "C" {
#define CHL_FUSION(name, ops, same, elided) extern const chl_fused_body chl_cuda_##name;
#include "fusion_table.h"
#undef CHL_FUSION
}
