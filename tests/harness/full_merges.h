/* A merges file with as many tokens as OpenAI's, for a random CLIP of that size: the merges of a
 * small file, then merges of characters that no text of the tests has. */
#ifndef CHL_TEST_FULL_MERGES_H
#define CHL_TEST_FULL_MERGES_H
#include <assert.h>
#include <stdio.h>

/* Symbols of the bytes that are no ASCII characters, but the space's, which no merge may hold. */
static inline int full_merges_symbol(int i, char text[3]) {
    const int code = i < 12 ? 0xa1 + i : 0xae + i - 12;
    if (code > 0x143) return 0;
    text[0] = (char)(0xc0 | code >> 6);
    text[1] = (char)(0x80 | (code & 0x3f));
    text[2] = 0;
    return code == 0x120 ? -1 : 1;
}

static inline void write_full_merges(const char *small, const char *path) {
    enum { MERGES = 49152 - 256 - 2 };
    char line[256], a[3], b[3];
    FILE *from = fopen(small, "r"), *to = fopen(path, "w");
    assert(from && to);
    int written = -1; /* the line of the version */
    while (fgets(line, sizeof line, from)) {
        fputs(line, to);
        written++;
    }
    for (int end = 0; end < 2; end++)
        for (int i = 0; full_merges_symbol(i, a); i++)
            for (int k = 0; full_merges_symbol(k, b); k++) {
                if (full_merges_symbol(i, a) < 0 || full_merges_symbol(k, b) < 0) continue;
                if (written < MERGES) fprintf(to, "%s %s%s\n", a, b, end ? "</w>" : "");
                written++;
            }
    assert(written >= MERGES);
    fclose(from);
    fclose(to);
}
#endif
