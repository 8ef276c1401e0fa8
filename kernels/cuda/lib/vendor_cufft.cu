// vendor.h's Fourier transforms by cuFFT, which is opened when the first one is asked for: log-mel
// pictures of the lengths that log_mel.cu computes itself do not need it.
#include "cuda/lib/vendor.h"

#if __has_include(<cufft.h>)
#include <cstdio>
#include <cufft.h>
#include <deque>
#include <dlfcn.h>

namespace chl {
namespace {
#define CUFFT_FUNCTIONS(f)                                                                         \
    f(cufftCreate) f(cufftDestroy) f(cufftSetAutoAllocation) f(cufftMakePlanMany)                  \
        f(cufftEstimateMany) f(cufftSetStream) f(cufftSetWorkArea) f(cufftExecR2C)

struct functions {
    bool complete = false;
#define CUFFT_MEMBER(name) decltype(&::name) name = nullptr;
    CUFFT_FUNCTIONS(CUFFT_MEMBER)
#undef CUFFT_MEMBER
};

functions functions_of(void *module) {
    functions f;
    f.complete = true;
#define CUFFT_FIND(name)                                                                           \
    f.name = reinterpret_cast<decltype(f.name)>(dlsym(module, #name));                             \
    f.complete = f.complete && f.name;
    CUFFT_FUNCTIONS(CUFFT_FIND)
#undef CUFFT_FIND
    return f;
}
functions open_library() {
    for (const int version : {CUFFT_VERSION / 1000, 12, 11}) { // the build's; CUDA 13, CUDA 12
        char name[32];
        std::snprintf(name, sizeof name, "libcufft.so.%d", version);
        void *module = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (!module) continue;
        const functions f = functions_of(module);
        if (f.complete) return f;
        (void)dlclose(module);
    }
    return {};
}
// The functions are the process's; a plan belongs to an opened device.
const functions &cufft() {
    static const functions opened = open_library();
    return opened;
}

struct plan {
    int points, rows;
    cufftResult said = CUFFT_SUCCESS; // why there is none
    cufftHandle handle = 0;
    size_t workspace = 0;
    size_t promised = SIZE_MAX; // bytes of workspace that every graph of this size has
};
// What an opened device keeps; that there is no plan, is remembered too, but not that memory was
// short.
struct library {
    std::deque<plan> plans;
    ~library() {
        for (const plan &p : plans)
            if (p.said == CUFFT_SUCCESS) (void)cufft().cufftDestroy(p.handle);
    }
};

// Memory may be short while a graph is planned, and there later: until then an estimate is the size
// of its workspace, and a plan that needs more is none.
void make(plan &p) {
    const functions &f = cufft();
    int points = p.points;
    p.said = f.cufftCreate(&p.handle);
    if (p.said != CUFFT_SUCCESS) return;
    p.said = f.cufftSetAutoAllocation(p.handle, 0);
    if (p.said == CUFFT_SUCCESS)
        p.said = f.cufftMakePlanMany(p.handle, 1, &points, nullptr, 1, points, nullptr, 1,
                                     points / 2 + 1, CUFFT_R2C, p.rows, &p.workspace);
    if (p.said == CUFFT_SUCCESS && p.workspace > p.promised) p.said = CUFFT_ALLOC_FAILED;
    if (p.said == CUFFT_SUCCESS) return;
    (void)f.cufftDestroy(p.handle);
    if (f.cufftEstimateMany(1, &points, nullptr, 1, points, nullptr, 1, points / 2 + 1, CUFFT_R2C,
                            p.rows, &p.workspace) != CUFFT_SUCCESS)
        p.workspace = 0;
    p.promised = p.workspace < p.promised ? p.workspace : p.promised;
}
// The library is there.
const plan &plan_of(int points, int rows) {
    std::shared_ptr<void> &kept = gpu.vendor->transforms;
    if (!kept) kept = std::make_shared<library>();
    library &l = *static_cast<library *>(kept.get());
    for (plan &p : l.plans)
        if (p.points == points && p.rows == rows) {
            if (p.said == CUFFT_ALLOC_FAILED) make(p);
            return p;
        }
    plan fresh = {points, rows};
    make(fresh);
    l.plans.push_back(fresh);
    return l.plans.back();
}
} // namespace

int64_t transform_rows(int points) { // rows and spectra of some 64 MB
    return (int64_t(64) << 20) / (8 * (int64_t(points) + 1));
}
bool transform_found() {
    return cufft().complete;
}
chl_kernel_status transform_planned(int points, int rows) {
    const plan &p = plan_of(points, rows);
    return p.said == CUFFT_SUCCESS ? CHL_KERNEL_OK : no_transform_plan(points, int(p.said));
}
size_t transform_workspace(int points, int rows) {
    return transform_found() ? plan_of(points, rows).workspace : 0;
}
chl_kernel_status transform(const chl_call *call, int points, int rows, float *from, void *to,
                            void *workspace) {
    const functions &f = cufft();
    const plan &p = plan_of(points, rows);
    if (p.said != CUFFT_SUCCESS) return no_transform_plan(points, int(p.said));
    cufftResult said = f.cufftSetStream(p.handle, static_cast<cudaStream_t>(call->stream));
    if (said == CUFFT_SUCCESS) said = f.cufftSetWorkArea(p.handle, workspace);
    if (said == CUFFT_SUCCESS)
        said = f.cufftExecR2C(p.handle, from, static_cast<cufftComplex *>(to));
    return said == CUFFT_SUCCESS ? CHL_KERNEL_OK
                                 : fail(CHL_KERNEL_FAILED, "cuFFT: status %d", int(said));
}
} // namespace chl

#else // built without cuFFT's headers
namespace chl {
int64_t transform_rows(int) {
    return 1;
}
bool transform_found() {
    return false;
}
chl_kernel_status transform_planned(int, int) {
    return CHL_KERNEL_UNSUPPORTED;
}
size_t transform_workspace(int, int) {
    return 0;
}
chl_kernel_status transform(const chl_call *, int, int, float *, void *, void *) {
    return CHL_KERNEL_UNSUPPORTED;
}
} // namespace chl
#endif
