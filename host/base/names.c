#include "base/names.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

/* The slot that has the name, or the empty one where it belongs: FNV-1a, whose last letters reach
 * few of the upper bits before they are mixed, and linear probing. */
static int *find_slot(const chl_names *n, const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = name; *at; at++) hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
    const int mask = n->slots - 1;
    int at = (int)(hash >> 33) & mask;
    while (n->slot[at] && strcmp(n->name[n->slot[at] - 1], name) != 0) at = (at + 1) & mask;
    return &n->slot[at];
}

/* Room for one more. */
static int grow(chl_names *n) {
    if (2 * (n->count + 1) < n->slots) return 0;
    const int slots = n->slots ? 2 * n->slots : FIRST_SLOTS;
    const char **name = realloc(n->name, sizeof *name * (size_t)(slots / 2));
    if (name) n->name = name;
    int *slot = name ? calloc((size_t)slots, sizeof *slot) : NULL;
    if (!slot) return -1;
    free(n->slot);
    n->slot = slot;
    n->slots = slots;
    for (int i = 0; i < n->count; i++) *find_slot(n, n->name[i]) = i + 1;
    return 0;
}

int chl_names_find(const chl_names *names, const char *name) {
    return names->slots ? *find_slot(names, name) - 1 : -1;
}

int chl_names_add(chl_names *names, const char *name) {
    if (grow(names) != 0) return -1;
    int *slot = find_slot(names, name);
    if (*slot == 0) {
        names->name[names->count] = name;
        *slot = ++names->count;
    }
    return *slot - 1;
}

void chl_names_free(chl_names *names) {
    free(names->name);
    free(names->slot);
    *names = (chl_names){0};
}
