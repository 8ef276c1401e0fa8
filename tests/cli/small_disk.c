/* A file system that says it has SMALL_DISK bytes left, for tests: LD_PRELOAD. */
#include <stdlib.h>
#include <sys/statvfs.h>

__attribute__((visibility("default"))) int statvfs(const char *path, struct statvfs *about) {
    (void)path;
    *about = (struct statvfs){.f_blocks = 1, .f_frsize = 1};
    about->f_bavail = (fsblkcnt_t)strtoull(getenv("SMALL_DISK"), NULL, 10);
    return 0;
}
