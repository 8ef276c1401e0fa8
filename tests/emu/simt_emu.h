// CUDA on the CPU, for tests: kernels/cuda/lib/simt.h includes this where the compiler is not nvcc.
// Needs no CUDA header and no GPU. How to write and test a kernel: docs/kernels/README.md.
#pragma once
#include "emu_async.h"
#include "emu_block.h"
#include "emu_hopper.h"
#include "emu_warp.h"
