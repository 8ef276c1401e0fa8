#include "arguments.h"
#include <stdlib.h>

long bench_number(const char *text, const char *flag, long min, long max) {
    char *end;
    const long value = strtol(text, &end, 10);
    if (*text && !*end && value >= min && value <= max) return value;
    fprintf(stderr, "chladni-bench: --%s must be a whole number from %ld to %ld, got \"%s\"\n",
            flag, min, max, text);
    exit(2);
}

void bench_misused(void (*usage)(FILE *to)) {
    usage(stderr);
    exit(2);
}
