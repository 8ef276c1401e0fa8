#include "train/in_parallel.h"
#include "base/progress.h"
#include <stdio.h>

chl_status chl_in_parallel(int count, chl_status (*work)(void *user, int i), void *user) {
    chl_status status = CHL_OK;
    char error[1024] = ""; /* errors are kept per thread */
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < count; i++) {
        const chl_status own = work(user, i);
        chl_progress_add();
        if (own == CHL_OK) continue;
#pragma omp critical(chl_in_parallel_failure)
        if (status == CHL_OK) {
            status = own;
            snprintf(error, sizeof error, "%s", chl_error());
        }
    }
    return status == CHL_OK ? CHL_OK : chl_fail(status, "%s", error);
}
