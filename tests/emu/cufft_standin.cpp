// A library with cuFFT's functions, for tests without a GPU: the transforms are sums, queued as the
// emulated GPU queues its work (standin_queue.cpp lends the queue). It checks what cuFFT leaves to
// the caller: that a plan is made once, is given memory to work in, and is destroyed. Environment:
//     STANDIN_PLAN=S   making a plan ends with status S       STANDIN_EXEC=S   executing one does
#include "cufft/cufft.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

extern "C" int standin_queue(void *stream, int (*work)(void *), void *data);
#define API __attribute__((visibility("default")))
// plans that are not destroyed
extern "C" API int standin_plans(void);

namespace {
struct plan {
    int points = 0, rows = 0;
    bool own_memory = true; // until the caller says that it brings some
    void *stream = nullptr, *area = nullptr;
};
std::mutex lock;
std::map<cufftHandle, plan> plans;
cufftHandle next_plan = 1;

size_t workspace_of(int points, int rows) {
    return 64 + 8 * size_t(points) * size_t(rows < 3 ? rows : 3);
}
cufftResult told(const char *name) {
    const char *status = std::getenv(name);
    return status ? cufftResult(std::atoi(status)) : CUFFT_SUCCESS;
}

struct job {
    plan of;
    const float *from;
    cufftComplex *to;
};
int transform(void *data) {
    job *j = static_cast<job *>(data);
    const int points = j->of.points, bins = points / 2 + 1;
    std::vector<float> turn(2 * size_t(points));
    for (int n = 0; n < points; n++) {
        turn[2 * size_t(n)] = float(std::cos(2 * M_PI * n / points));
        turn[2 * size_t(n) + 1] = float(-std::sin(2 * M_PI * n / points));
    }
    std::memset(j->of.area, 0xff, workspace_of(points, j->of.rows));
    for (int row = 0; row < j->of.rows; row++)
        for (int k = 0; k < bins; k++) {
            const float *x = j->from + size_t(row) * size_t(points);
            double re = 0, im = 0;
            for (int n = 0; n < points; n++) {
                const size_t at = 2 * size_t(int64_t(k) * n % points);
                re += double(x[n]) * double(turn[at]);
                im += double(x[n]) * double(turn[at + 1]);
            }
            j->to[size_t(row) * size_t(bins) + size_t(k)] = {float(re), float(im)};
        }
    return 0;
}
} // namespace

int standin_plans(void) {
    const std::lock_guard<std::mutex> held(lock);
    return int(plans.size());
}

extern "C" {
API cufftResult cufftCreate(cufftHandle *out) {
    const std::lock_guard<std::mutex> held(lock);
    plans[next_plan] = {};
    *out = next_plan++;
    return CUFFT_SUCCESS;
}
API cufftResult cufftDestroy(cufftHandle which) {
    const std::lock_guard<std::mutex> held(lock);
    return plans.erase(which) ? CUFFT_SUCCESS : CUFFT_INVALID_PLAN;
}
API cufftResult cufftSetAutoAllocation(cufftHandle which, int on) {
    plans.at(which).own_memory = on != 0;
    return CUFFT_SUCCESS;
}
API cufftResult cufftMakePlanMany(cufftHandle which, int rank, int *n, int *, int, int, int *, int,
                                  int, cufftType type, int batch, size_t *workspace) {
    plan &p = plans.at(which);
    if (rank != 1 || type != CUFFT_R2C || p.points) return CUFFT_INVALID_VALUE;
    if (const cufftResult status = told("STANDIN_PLAN")) return status;
    p.points = n[0];
    p.rows = batch;
    *workspace = workspace_of(n[0], batch);
    return CUFFT_SUCCESS;
}
API cufftResult cufftEstimateMany(int, int *n, int *, int, int, int *, int, int, cufftType,
                                  int batch, size_t *workspace) {
    *workspace = workspace_of(n[0], batch) + 1000;
    return CUFFT_SUCCESS;
}
API cufftResult cufftSetStream(cufftHandle which, cudaStream_t stream) {
    plans.at(which).stream = stream;
    return CUFFT_SUCCESS;
}
API cufftResult cufftSetWorkArea(cufftHandle which, void *area) {
    plans.at(which).area = area;
    return CUFFT_SUCCESS;
}
API cufftResult cufftExecR2C(cufftHandle which, cufftReal *from, cufftComplex *to) {
    const plan &p = plans.at(which);
    if (!p.points || p.own_memory || !p.area) return CUFFT_INVALID_PLAN;
    if (const cufftResult status = told("STANDIN_EXEC")) return status;
    // recorded work is done many times: the job is never freed before the process ends
    static std::vector<std::unique_ptr<job>> jobs;
    const std::lock_guard<std::mutex> held(lock);
    jobs.push_back(std::unique_ptr<job>(new job{p, from, to}));
    return standin_queue(p.stream, transform, jobs.back().get()) ? CUFFT_EXEC_FAILED
                                                                 : CUFFT_SUCCESS;
}
}
