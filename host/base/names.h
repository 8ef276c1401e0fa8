/* Numbers for names: the first different name is 0, the next 1, ... by a hash table, so that a
 * hundred thousand names take no longer each than ten. */
#ifndef CHL_BASE_NAMES_H
#define CHL_BASE_NAMES_H

/* Zeros are an empty one. Names are not copied: they must stay. */
typedef struct chl_names {
    const char **name; /* [count], by number */
    int count;
    int *slot; /* [slots] number + 1, or 0 */
    int slots; /* a power of two, more than 2 count */
} chl_names;

/* The number of `name`; of a new one names->count - 1. -1: out of memory. */
int chl_names_add(chl_names *names, const char *name);
/* -1: unknown. */
int chl_names_find(const chl_names *names, const char *name);
void chl_names_free(chl_names *names);
#endif
