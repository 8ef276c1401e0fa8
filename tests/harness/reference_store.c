#include "reference_store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* two times FNV-1a with different starts */
void reference_key_add(reference_key *key, const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++) {
        key->low = (key->low ^ at[i]) * 0x100000001b3u;
        key->high = (key->high ^ at[i]) * 0x100000001b3u;
        key->high ^= key->high >> 29;
    }
}

reference_key reference_key_of(const op_case *op) {
    reference_key key = {0xcbf29ce484222325u, 0x84222325cbf29ce4u};
    reference_key_add(&key, REFERENCE_SOURCES, sizeof REFERENCE_SOURCES);
    reference_key_add(&key, op->name, strlen(op->name) + 1);
    reference_key_add(&key, op->label, strlen(op->label) + 1);
    return key;
}

static bool path_of(const reference_key *key, char *path, size_t size) {
    const char *folder = getenv("TEST_REFERENCES");
    return folder && *folder &&
           snprintf(path, size, "%s/%016llx%016llx", folder, (unsigned long long)key->low,
                    (unsigned long long)key->high) < (int)size;
}

bool reference_load(const reference_key *key, double *values, size_t count) {
    char path[4096];
    if (!path_of(key, path, sizeof path)) return false;
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    double *read = malloc((count + 1) * sizeof *read);
    const bool whole = read && fread(read, sizeof *read, count + 1, file) == count;
    if (whole) memcpy(values, read, count * sizeof *read);
    free(read);
    fclose(file);
    return whole;
}

void reference_save(const reference_key *key, const double *values, size_t count) {
    char path[4096], temporary[4200];
    if (!path_of(key, path, sizeof path)) return;
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *file = fopen(temporary, "wb");
    if (!file) return; /* the next program computes it again */
    const bool written = fwrite(values, sizeof *values, count, file) == count;
    if (fclose(file) != 0 || !written || rename(temporary, path) != 0) unlink(temporary);
}
