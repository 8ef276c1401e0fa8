/* The CUDA kernels run on the CPU, as a backend: for tests only (docs/kernels/README.md). */
#ifndef CHL_BACKEND_EMU_H
#define CHL_BACKEND_EMU_H
#include "device/backend.h"
#ifdef __cplusplus
extern "C" {
#endif
const chl_backend *chl_backend_emu(void);
#ifdef __cplusplus
}
#endif
#endif
