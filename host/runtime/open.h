/* Devices by name. This room lies below the status texts: reasons are handed back. */
#ifndef CHL_DEVICE_OPEN_H
#define CHL_DEVICE_OPEN_H
#include "runtime/backend.h"

/* "cpu"; "cuda" or "cuda:N": the N-th NVIDIA GPU (0); "auto" or NULL: cuda:0 where there is one,
 * else cpu. On failure NULL, and *why says what is missing (the module, the driver, the GPU) and
 * what to do; the text stays valid until this thread's next call. Each call opens a device of its
 * own, also for a GPU that is open already: one chl_device_close each. */
chl_device *chl_device_open(const char *name, const char **why);
/* NULL is allowed. Graphs and memory on the device are freed before. */
void chl_device_close(chl_device *device);
#endif
