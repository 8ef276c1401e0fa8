#include "arguments.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

long bench_number(const char *text, const char *flag, long min, long max) {
    char *end;
    const long value = strtol(text, &end, 10);
    if (*text && !*end && value >= min && value <= max) return value;
    fprintf(stderr, "chladni-bench: --%s must be a whole number from %ld to %ld, got \"%s\"\n",
            flag, min, max, text);
    exit(2);
}

int bench_finish(int code) {
    const bool failed = ferror(stdout) != 0;
    errno = 0;
    if ((fflush(stdout) == 0 && !failed) || code != 0) return code;
    fprintf(stderr, "chladni-bench: cannot write to standard output%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
    return 1;
}

void bench_helped(void (*usage)(FILE *to)) {
    usage(stdout);
    exit(bench_finish(0));
}

void bench_check_ending(const char *flag, const char *path, const char *ending) {
    const size_t length = strlen(path), end = strlen(ending);
    struct stat about;
    const bool device = stat(path, &about) == 0 && !S_ISREG(about.st_mode);
    if (device || (length > end && strcasecmp(path + length - end, ending) == 0)) return;
    fprintf(stderr, "chladni-bench: --%s must end in %s, got %s\n", flag, ending, path);
    exit(2);
}

void bench_misused(void (*usage)(FILE *to)) {
    usage(stderr);
    exit(2);
}
