/* Devices by name. This room lies below the status texts: reasons are handed back. */
#ifndef CHL_DEVICE_OPEN_H
#define CHL_DEVICE_OPEN_H
#include "runtime/backend.h"

/* "cpu"; "cuda" or "cuda:N": the N-th NVIDIA GPU (0); "auto" or NULL: cuda:0 where there is one,
 * else cpu. On failure NULL, and *why says what is missing (the module, the driver, the GPU) and
 * what to do; the text stays valid until this thread's next call. A process uses one GPU: another
 * one afterwards is a failure. */
const chl_backend *chl_backend_open(const char *device, const char **why);
#endif
