#include "batch.h"
#include <stdio.h>

char *batch_path(const batch *b, const char *folder, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s%s%s", b->out, folder, folder[0] ? "/" : "", name) < 0 ? NULL
                                                                                        : path;
}

char *batch_result_path(const batch *b, const batch_job *job) {
    return batch_path(b, "results", job->file);
}
