#include "runtime/module_file.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_PATH 4096

void *chl_module_open(const char *variable, const char *file, int flags) {
    static const char here; /* any address of this library */
    const char *named = getenv(variable);
    if (named && *named) return dlopen(named, flags);
    Dl_info self;
    char path[LONGEST_PATH];
    if (dladdr(&here, &self) && self.dli_fname) {
        const char *slash = strrchr(self.dli_fname, '/');
        const int folder = slash ? (int)(slash - self.dli_fname + 1) : 0;
        if (snprintf(path, sizeof path, "%.*s%s", folder, self.dli_fname, file) <
            (int)sizeof path) {
            void *module = dlopen(path, flags);
            if (module) return module;
        }
    }
    return dlopen(file, flags);
}
