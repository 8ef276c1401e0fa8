// vendor.h's Fourier transforms by cuFFT, which is opened when the first one is asked for: log-mel
// pictures of the lengths that log_mel.cu computes itself do not need it.
#include "cuda/lib/vendor.h"

#if __has_include(<cufft.h>)
#include <cufft.h>
#include <deque>
#include <dlfcn.h>

namespace chl {
namespace {
#define CUFFT_FUNCTIONS(f)                                                                         \
    f(cufftCreate) f(cufftDestroy) f(cufftSetAutoAllocation) f(cufftMakePlanMany)                  \
        f(cufftSetStream) f(cufftSetWorkArea) f(cufftExecR2C)

struct functions {
    bool complete = false;
#define CUFFT_MEMBER(name) decltype(&::name) name = nullptr;
    CUFFT_FUNCTIONS(CUFFT_MEMBER)
#undef CUFFT_MEMBER
};

functions open_library() {
    functions f;
    void *module = nullptr;
    for (const char *name : {"libcufft.so.12", "libcufft.so.11"}) // CUDA 13, CUDA 12
        if (!module) module = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!module) return f;
    f.complete = true;
#define CUFFT_FIND(name)                                                                           \
    f.name = reinterpret_cast<decltype(f.name)>(dlsym(module, #name));                             \
    f.complete = f.complete && f.name;
    CUFFT_FUNCTIONS(CUFFT_FIND)
#undef CUFFT_FIND
    return f;
}
// The functions are the process's; a plan belongs to an opened device.
const functions &cufft() {
    static const functions opened = open_library();
    return opened;
}

struct plan {
    int points, rows;
    bool usable = false;
    cufftHandle handle = 0;
    size_t workspace = 0;
};
// What an opened device keeps; a plan that is not usable is remembered too.
struct library {
    std::deque<plan> plans;
    ~library() {
        for (const plan &p : plans)
            if (p.handle) (void)cufft().cufftDestroy(p.handle);
    }
};

void make(plan &p) {
    const functions &f = cufft();
    if (!f.complete || f.cufftCreate(&p.handle) != CUFFT_SUCCESS) return;
    int points = p.points;
    p.usable =
        f.cufftSetAutoAllocation(p.handle, 0) == CUFFT_SUCCESS &&
        f.cufftMakePlanMany(p.handle, 1, &points, nullptr, 1, points, nullptr, 1, points / 2 + 1,
                            CUFFT_R2C, p.rows, &p.workspace) == CUFFT_SUCCESS;
}
const plan &plan_of(int points, int rows) {
    std::shared_ptr<void> &kept = gpu.vendor->transforms;
    if (!kept) kept = std::make_shared<library>();
    library &l = *static_cast<library *>(kept.get());
    for (const plan &p : l.plans)
        if (p.points == points && p.rows == rows) return p;
    plan fresh = {points, rows};
    make(fresh);
    l.plans.push_back(fresh);
    return l.plans.back();
}
} // namespace

int64_t transform_rows(int points) { // rows and spectra of some 64 MB
    return (int64_t(64) << 20) / (8 * (int64_t(points) + 1));
}
bool transform_taken(int points, int rows) {
    return plan_of(points, rows).usable;
}
size_t transform_workspace(int points, int rows) {
    return plan_of(points, rows).workspace;
}
chl_kernel_status transform(const chl_call *call, int points, int rows, float *from, void *to,
                            void *workspace) {
    const functions &f = cufft();
    const plan &p = plan_of(points, rows);
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
bool transform_taken(int, int) {
    return false;
}
size_t transform_workspace(int, int) {
    return 0;
}
chl_kernel_status transform(const chl_call *, int, int, float *, void *, void *) {
    return CHL_KERNEL_UNSUPPORTED;
}
} // namespace chl
#endif
