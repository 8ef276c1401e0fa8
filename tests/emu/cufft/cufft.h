/* The part of cuFFT's interface that kernels/cuda/lib/vendor_cufft.cu uses, for a build without CUDA:
 * what tests/emu/cufft_standin.cpp stands in for. */
#ifndef CHL_TESTS_CUFFT_H
#define CHL_TESTS_CUFFT_H
#include <stddef.h>
#define CUFFT_VERSION 12000
typedef struct CUstream_st *cudaStream_t;
typedef int cufftHandle;
typedef float cufftReal;
typedef struct cufftComplex {
    float x, y;
} cufftComplex;
typedef enum cufftResult {
    CUFFT_SUCCESS = 0,
    CUFFT_INVALID_PLAN = 1,
    CUFFT_ALLOC_FAILED = 2,
    CUFFT_INVALID_VALUE = 4,
    CUFFT_EXEC_FAILED = 6
} cufftResult;
typedef enum cufftType { CUFFT_R2C = 0x2a } cufftType;

extern "C" {
cufftResult cufftCreate(cufftHandle *plan);
cufftResult cufftDestroy(cufftHandle plan);
cufftResult cufftSetAutoAllocation(cufftHandle plan, int on);
cufftResult cufftMakePlanMany(cufftHandle plan, int rank, int *n, int *in_embed, int in_stride,
                              int in_distance, int *out_embed, int out_stride, int out_distance,
                              cufftType type, int batch, size_t *workspace);
cufftResult cufftEstimateMany(int rank, int *n, int *in_embed, int in_stride, int in_distance,
                              int *out_embed, int out_stride, int out_distance, cufftType type,
                              int batch, size_t *workspace);
cufftResult cufftSetStream(cufftHandle plan, cudaStream_t stream);
cufftResult cufftSetWorkArea(cufftHandle plan, void *area);
cufftResult cufftExecR2C(cufftHandle plan, cufftReal *from, cufftComplex *to);
}
#endif
