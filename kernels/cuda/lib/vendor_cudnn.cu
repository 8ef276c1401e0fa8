// vendor.h's convolutions by cuDNN, which is opened when the first one is asked for: a network
// without plain convolutions does not load its 1 GB, and where it is missing conv.cu computes them
// as products. The old interface: it knows NHWC bf16 with float sums and says which of its
// algorithms are deterministic. Weight gradients are not asked of it: it would round them to bf16.
#include "cuda/lib/vendor.h"

#if __has_include(<cudnn.h>)
#include <cudnn.h>
#include <deque>
#include <dlfcn.h>

namespace chl {
namespace {
#define CUDNN_FUNCTIONS(f)                                                                         \
    f(cudnnCreate) f(cudnnDestroy) f(cudnnSetStream) f(cudnnCreateTensorDescriptor)                \
        f(cudnnDestroyTensorDescriptor) f(cudnnSetTensor4dDescriptor)                              \
            f(cudnnCreateFilterDescriptor) f(cudnnDestroyFilterDescriptor)                         \
                f(cudnnSetFilter4dDescriptor) f(cudnnCreateConvolutionDescriptor)                  \
                    f(cudnnDestroyConvolutionDescriptor) f(cudnnSetConvolution2dDescriptor)        \
                        f(cudnnSetConvolutionMathType) f(cudnnGetConvolutionForwardAlgorithm_v7)   \
                            f(cudnnGetConvolutionBackwardDataAlgorithm_v7)                         \
                                f(cudnnConvolutionForward) f(cudnnConvolutionBackwardData)

struct functions {
    bool complete = false;
#define CUDNN_MEMBER(name) decltype(&::name) name = nullptr;
    CUDNN_FUNCTIONS(CUDNN_MEMBER)
#undef CUDNN_MEMBER
};

functions open_library() {
    functions f;
    void *module = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!module) return f;
    f.complete = true;
#define CUDNN_FIND(name)                                                                           \
    f.name = reinterpret_cast<decltype(f.name)>(dlsym(module, #name));                             \
    f.complete = f.complete && f.name;
    CUDNN_FUNCTIONS(CUDNN_FIND)
#undef CUDNN_FIND
    return f;
}
// The functions are the process's; a handle belongs to an opened device.
const functions &cudnn() {
    static const functions opened = open_library();
    return opened;
}

constexpr size_t MAX_WORKSPACE = size_t(256) << 20;
constexpr int MAX_ALGORITHMS = 8;

struct plan {
    conv_pass pass;
    chl_conv_attributes a;
    bool usable = false;
    cudnnTensorDescriptor_t x = nullptr, y = nullptr;
    cudnnFilterDescriptor_t filter = nullptr;
    cudnnConvolutionDescriptor_t map = nullptr;
    cudnnConvolutionFwdAlgo_t forward = {};
    cudnnConvolutionBwdDataAlgo_t data = {};
    size_t workspace = 0;
};

bool same(const chl_conv_attributes &a, const chl_conv_attributes &b) {
    return a.kernel == b.kernel && a.stride == b.stride && a.pad == b.pad && a.n == b.n &&
           a.h == b.h && a.w == b.w && a.i == b.i && a.o == b.o;
}

bool describe(const functions &f, plan &p) {
    const chl_conv_attributes &a = p.a;
    const int out_h = (a.h + 2 * a.pad - a.kernel) / a.stride + 1;
    const int out_w = (a.w + 2 * a.pad - a.kernel) / a.stride + 1;
    const cudnnStatus_t said[] = {
        f.cudnnCreateTensorDescriptor(&p.x),
        f.cudnnCreateTensorDescriptor(&p.y),
        f.cudnnCreateFilterDescriptor(&p.filter),
        f.cudnnCreateConvolutionDescriptor(&p.map),
        f.cudnnSetTensor4dDescriptor(p.x, CUDNN_TENSOR_NHWC, CUDNN_DATA_BFLOAT16, a.n, a.i, a.h,
                                     a.w),
        f.cudnnSetTensor4dDescriptor(p.y, CUDNN_TENSOR_NHWC, CUDNN_DATA_BFLOAT16, a.n, a.o, out_h,
                                     out_w),
        f.cudnnSetFilter4dDescriptor(p.filter, CUDNN_DATA_BFLOAT16, CUDNN_TENSOR_NHWC, a.o, a.i,
                                     a.kernel, a.kernel),
        f.cudnnSetConvolution2dDescriptor(p.map, a.pad, a.pad, a.stride, a.stride, 1, 1,
                                          CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        f.cudnnSetConvolutionMathType(p.map, CUDNN_TENSOR_OP_MATH),
    };
    for (const cudnnStatus_t status : said)
        if (status != CUDNN_STATUS_SUCCESS) return false;
    return true;
}

// the first deterministic algorithm of the heuristic's list that fits
template <class Performance, class Algorithm>
void take_first(const functions &f, plan &p, const Performance *list, int count,
                Algorithm plan::*algorithm) {
    for (int i = 0; i < count && !p.usable; i++) {
        const Performance &one = list[i];
        if (one.status != CUDNN_STATUS_SUCCESS || one.determinism != CUDNN_DETERMINISTIC ||
            one.memory > MAX_WORKSPACE)
            continue;
        p.usable = f.cudnnSetConvolutionMathType(p.map, one.mathType) == CUDNN_STATUS_SUCCESS;
        p.*algorithm = one.algo;
        p.workspace = one.memory;
    }
}

void choose(const functions &f, cudnnHandle_t handle, plan &p) {
    int count = 0;
    if (p.pass == conv_pass::forward) {
        cudnnConvolutionFwdAlgoPerf_t list[MAX_ALGORITHMS];
        if (f.cudnnGetConvolutionForwardAlgorithm_v7(handle, p.x, p.filter, p.map, p.y,
                                                     MAX_ALGORITHMS, &count,
                                                     list) == CUDNN_STATUS_SUCCESS)
            take_first(f, p, list, count, &plan::forward);
    } else {
        cudnnConvolutionBwdDataAlgoPerf_t list[MAX_ALGORITHMS];
        if (f.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, p.filter, p.y, p.map, p.x,
                                                          MAX_ALGORITHMS, &count,
                                                          list) == CUDNN_STATUS_SUCCESS)
            take_first(f, p, list, count, &plan::data);
    }
}

// What an opened device keeps; a plan that is not usable is remembered too.
struct library {
    cudnnHandle_t handle = nullptr;
    std::deque<plan> plans;
    ~library() {
        const functions &f = cudnn();
        for (const plan &p : plans) {
            if (p.x) (void)f.cudnnDestroyTensorDescriptor(p.x);
            if (p.y) (void)f.cudnnDestroyTensorDescriptor(p.y);
            if (p.filter) (void)f.cudnnDestroyFilterDescriptor(p.filter);
            if (p.map) (void)f.cudnnDestroyConvolutionDescriptor(p.map);
        }
        if (handle) (void)f.cudnnDestroy(handle);
    }
};
library &bound() {
    std::shared_ptr<void> &kept = gpu.vendor->convolutions;
    if (kept) return *static_cast<library *>(kept.get());
    kept = std::make_shared<library>();
    library &l = *static_cast<library *>(kept.get());
    if (cudnn().complete && cudnn().cudnnCreate(&l.handle) != CUDNN_STATUS_SUCCESS)
        l.handle = nullptr; // conv.cu computes everything
    return l;
}

const plan &plan_of(conv_pass pass, const chl_conv_attributes &a) {
    library &l = bound();
    for (const plan &p : l.plans)
        if (p.pass == pass && same(p.a, a)) return p;
    plan fresh = {pass, a};
    if (l.handle && describe(cudnn(), fresh)) choose(cudnn(), l.handle, fresh);
    l.plans.push_back(fresh);
    return l.plans.back();
}
} // namespace

bool convolution_taken(conv_pass pass, const chl_conv_attributes &a) {
    return convolution_fits(a) && plan_of(pass, a).usable;
}
size_t convolution_workspace(conv_pass pass, const chl_conv_attributes &a) {
    return plan_of(pass, a).workspace;
}
chl_kernel_status convolution(const chl_call *call, conv_pass pass, const void *from,
                              const void *filter, float beta, void *to, void *workspace) {
    const functions &f = cudnn();
    const cudnnHandle_t handle = bound().handle;
    const plan &p = plan_of(pass, call->attr.conv);
    const float one = 1;
    cudnnStatus_t said = f.cudnnSetStream(handle, static_cast<cudaStream_t>(call->stream));
    if (said == CUDNN_STATUS_SUCCESS && pass == conv_pass::forward)
        said = f.cudnnConvolutionForward(handle, &one, p.x, from, p.filter, filter, p.map,
                                         p.forward, workspace, p.workspace, &beta, p.y, to);
    else if (said == CUDNN_STATUS_SUCCESS)
        said = f.cudnnConvolutionBackwardData(handle, &one, p.filter, filter, p.y, from, p.map,
                                              p.data, workspace, p.workspace, &beta, p.x, to);
    return said == CUDNN_STATUS_SUCCESS ? CHL_KERNEL_OK
                                        : fail(CHL_KERNEL_FAILED, "cuDNN: status %d", int(said));
}
} // namespace chl

#else // built without cuDNN's headers: conv.cu computes everything
namespace chl {
bool convolution_taken(conv_pass, const chl_conv_attributes &) {
    return false;
}
size_t convolution_workspace(conv_pass, const chl_conv_attributes &) {
    return 0;
}
chl_kernel_status convolution(const chl_call *, conv_pass, const void *, const void *, float,
                              void *, void *) {
    return CHL_KERNEL_UNSUPPORTED;
}
} // namespace chl
#endif
