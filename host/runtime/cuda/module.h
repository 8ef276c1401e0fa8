/* The one door of libchladni_cuda.so. C11 and C++17. */
#ifndef CHL_CUDA_MODULE_H
#define CHL_CUDA_MODULE_H
#include "runtime/backend.h"

#define CHL_CUDA_OPEN_NAME "chl_cuda_open"
/* Opens the GPU of this number, or NULL with the reason in text. `version` is the caller's
 * CHL_BACKEND_VERSION: a module of another one refuses. */
typedef chl_device *(*chl_cuda_open_function)(uint32_t version, int number, char *text,
                                              size_t size);
#endif
