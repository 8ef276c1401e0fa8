/* Named host arrays: a list in file order, and a hash index over the names.
 *
 * The index is open addressing with linear probing; a slot holds position + 1, 0 means free. At
 * most half of the slots are occupied. A rename takes the old name out by moving later entries back
 * (Knuth, vol. 3, 6.4, algorithm R), so that there are no tombstones and a search may stop at the
 * first free slot.
 *
 * Names come from files that may be hostile, so the hash is keyed per process: otherwise a header
 * full of chosen collisions would turn every insertion into a search through all others. The order
 * of `array` never depends on the hash, so neither does any result. */
#include "base/params.h"
#include "base/free.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define ALIGNMENT 64
#define FIRST_SLOTS 64
#define REPORTED_KEYS 5

static uint64_t hash_key(void) {
    static _Atomic uint64_t key;
    uint64_t known = atomic_load(&key);
    if (known) return known;
    uint64_t drawn = 0;
    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) != sizeof drawn)
        drawn = (uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)&key;
    drawn |= 1;
    /* the thread that stores first decides for all */
    return atomic_compare_exchange_strong(&key, &known, drawn) ? drawn : known;
}

/* The two halves of a 64 x 64 bit product, XORed: the mixing step of wyhash-like hashes. */
static uint64_t fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_name(const char *name) {
    const uint64_t key = hash_key();
    size_t left = strlen(name);
    uint64_t hash = key ^ (left * 0x9E3779B97F4A7C15u);
    while (left) {
        uint64_t word = 0;
        size_t step = left < sizeof word ? left : sizeof word;
        memcpy(&word, name, step);
        hash = fold(hash ^ word, key ^ 0xD6E8FEB86659FD93u);
        name += step;
        left -= step;
    }
    return fold(hash, 0xA0761D6478BD642Fu ^ key);
}

static int64_t home(const chl_params *p, const char *name) {
    return (int64_t)(hash_name(name) & (uint64_t)(p->slots - 1));
}

/* The slot that holds `name`, or the free one where it belongs. */
static int64_t probe(const chl_params *p, const char *name) {
    int64_t s = home(p, name);
    while (p->slot[s] && strcmp(p->array[p->slot[s] - 1].name, name) != 0)
        s = (s + 1) & (p->slots - 1);
    return s;
}

static void unindex(chl_params *p, const char *name) {
    const int64_t mask = p->slots - 1;
    int64_t hole = probe(p, name);
    p->slot[hole] = 0;
    for (int64_t s = (hole + 1) & mask; p->slot[s]; s = (s + 1) & mask) {
        int64_t wanted = home(p, p->array[p->slot[s] - 1].name);
        /* an entry may move back to the hole unless its home lies behind the hole */
        if (((s - wanted) & mask) >= ((s - hole) & mask)) {
            p->slot[hole] = p->slot[s];
            p->slot[s] = 0;
            hole = s;
        }
    }
}

static void reindex(chl_params *p) {
    memset(p->slot, 0, (size_t)p->slots * sizeof *p->slot);
    for (int64_t i = 0; i < p->count; i++) p->slot[probe(p, p->array[i].name)] = i + 1;
}

chl_status chl_params_new(const char *source, chl_params **out) {
    chl_params *p = calloc(1, sizeof *p);
    if (p) {
        p->source = strdup(source);
        p->slot = calloc(FIRST_SLOTS, sizeof *p->slot);
        p->slots = FIRST_SLOTS;
    }
    if (!p || !p->source || !p->slot) {
        chl_params_free(p);
        *out = NULL;
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list of arrays", source);
    }
    *out = p;
    return CHL_OK;
}

void chl_params_free(chl_params *p) {
    if (!p) return;
    for (int64_t i = 0; i < p->count; i++) {
        free(p->array[i].name);
        free(p->array[i].data);
        free(p->array[i].problem);
    }
    for (int64_t i = 0; i < p->facts; i++) {
        free(p->fact[i].name);
        free(p->fact[i].value);
    }
    CHL_FREE(p->fact, p->array, p->slot, p->source, p);
}

chl_status chl_params_give(chl_params *params, chl_status status, chl_params **out) {
    *out = status == CHL_OK ? params : NULL;
    if (status != CHL_OK) chl_params_free(params);
    return status;
}

/* The product must not overflow even where a zero among the sizes makes the array empty, so that
 * chl_count is safe whatever the order of the factors. */
chl_status chl_check_size(const char *source, const char *name, const chl_desc *d, size_t *bytes) {
    if (d->rank < 0 || d->rank > CHL_MAX_RANK)
        return chl_fail(CHL_ERR_SHAPE, "%s: \"%s\" has rank %d, expected 0 to %d", source, name,
                        (int)d->rank, CHL_MAX_RANK);
    int64_t product = chl_item_bytes(d->dtype);
    bool empty = false;
    for (int32_t i = 0; i < d->rank; i++) {
        empty |= d->dim[i] == 0;
        if (d->dim[i] < 0 || __builtin_mul_overflow(product, d->dim[i] ? d->dim[i] : 1, &product) ||
            product > PTRDIFF_MAX - ALIGNMENT)
            return chl_fail(CHL_ERR_SHAPE,
                            "%s: \"%s\" has an impossible size: dimension %d is %lld, which is "
                            "negative or makes the array larger than the address space",
                            source, name, (int)i, (long long)d->dim[i]);
    }
    *bytes = empty ? 0 : (size_t)product;
    return CHL_OK;
}

/* One more array and one more name fit afterwards. */
static chl_status reserve_one(chl_params *p) {
    if (p->count == p->capacity) {
        int64_t capacity = p->capacity ? 2 * p->capacity : FIRST_SLOTS / 2;
        chl_array *array = realloc(p->array, (size_t)capacity * sizeof *array);
        if (!array)
            return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list of arrays", p->source);
        p->array = array;
        p->capacity = capacity;
    }
    if (2 * (p->count + 1) > p->slots) {
        int64_t *slot = calloc((size_t)(2 * p->slots), sizeof *slot);
        if (!slot)
            return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its index of names", p->source);
        free(p->slot);
        p->slot = slot;
        p->slots *= 2;
        reindex(p);
    }
    return CHL_OK;
}

static bool holds(const chl_params *p, const char *name) {
    return p->slot[probe(p, name)] != 0;
}

chl_status chl_params_add(chl_params *p, const char *name, chl_desc desc, void **data) {
    size_t bytes = 0;
    CHL_TRY(chl_check_size(p->source, name, &desc, &bytes));
    if (holds(p, name))
        return chl_fail(CHL_ERR_FORMAT, "%s: the key \"%s\" occurs twice: export the weights again",
                        p->source, name);
    CHL_TRY(reserve_one(p));
    char *copy = strdup(name);
    void *memory = aligned_alloc(
        ALIGNMENT, bytes ? (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT);
    if (!copy || !memory) {
        free(copy);
        free(memory);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for \"%s\" (%zu bytes)", p->source, name,
                        bytes);
    }
    p->array[p->count] = (chl_array){.name = copy, .desc = desc, .data = memory};
    p->slot[probe(p, copy)] = ++p->count;
    *data = memory;
    return CHL_OK;
}

chl_status chl_params_add_unreadable(chl_params *p, const char *name, const char *why) {
    if (holds(p, name))
        return chl_fail(CHL_ERR_FORMAT, "%s: the key \"%s\" occurs twice: export the weights again",
                        p->source, name);
    CHL_TRY(reserve_one(p));
    chl_array array = {.name = strdup(name), .problem = strdup(why)};
    if (!array.name || !array.problem) {
        free(array.name);
        free(array.problem);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for \"%s\"", p->source, name);
    }
    p->array[p->count] = array;
    p->slot[probe(p, array.name)] = ++p->count;
    return CHL_OK;
}

static chl_array *entry(const chl_params *p, const char *name) {
    char scoped[1024];
    if (p->scope) {
        snprintf(scoped, sizeof scoped, "%s%s", p->scope, name);
        name = scoped;
    }
    int64_t position = p->slot[probe(p, name)];
    return position ? &p->array[position - 1] : NULL;
}

chl_array *chl_params_find(const chl_params *p, const char *name) {
    chl_array *found = entry(p, name);
    return found && !found->problem ? found : NULL;
}

const char *chl_params_problem(const chl_params *p, const char *name) {
    const chl_array *found = entry(p, name);
    return found ? found->problem : NULL;
}

chl_status chl_params_missing(const chl_params *p, const char *name) {
    const char *problem = chl_params_problem(p, name);
    if (problem) return chl_fail(CHL_ERR_UNSUPPORTED, "%s", problem);
    return chl_fail(CHL_ERR_KEY,
                    "%s: the weight \"%s\" is missing: is this the file of another network?",
                    p->source, name);
}

chl_status chl_params_rename(chl_params *p, const char *from, const char *to) {
    if (strcmp(from, to) == 0 && holds(p, from)) return CHL_OK;
    int64_t position = p->slot[probe(p, from)];
    if (!position)
        return chl_fail(CHL_ERR_KEY, "%s: cannot rename \"%s\" to \"%s\": the key is missing",
                        p->source, from, to);
    if (holds(p, to))
        return chl_fail(CHL_ERR_KEY, "%s: cannot rename \"%s\" to \"%s\": that key exists already",
                        p->source, from, to);
    char *copy = strdup(to);
    if (!copy)
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for the name \"%s\"", p->source, to);
    chl_array *array = &p->array[position - 1];
    unindex(p, array->name);
    free(array->name);
    array->name = copy;
    p->slot[probe(p, copy)] = position;
    return CHL_OK;
}

chl_status chl_params_strip(chl_params *p, const char *prefix) {
    const size_t length = strlen(prefix);
    if (!length) return CHL_OK;
    /* two stripped names stay different; a collision needs one that never had the prefix */
    for (int64_t i = 0; i < p->count; i++) {
        const char *name = p->array[i].name;
        if (strncmp(name, prefix, length) != 0) continue;
        if (!name[length])
            return chl_fail(CHL_ERR_KEY, "%s: the key \"%s\" has no name after the prefix \"%s\"",
                            p->source, name, prefix);
        if (strncmp(name + length, prefix, length) != 0 && holds(p, name + length))
            return chl_fail(
                CHL_ERR_KEY,
                "%s: has both \"%s\" and \"%s\", expected one of them: remove the other", p->source,
                name, name + length);
    }
    for (int64_t i = 0; i < p->count; i++) {
        char *name = p->array[i].name;
        if (strncmp(name, prefix, length) == 0)
            memmove(name, name + length, strlen(name + length) + 1);
    }
    reindex(p);
    return CHL_OK;
}

void chl_params_drop(chl_params *p, const char *name) {
    int64_t position = p->slot[probe(p, name)];
    if (!position) return;
    chl_array gone = p->array[position - 1];
    memmove(&p->array[position - 1], &p->array[position],
            (size_t)(p->count - position) * sizeof *p->array);
    p->count--;
    reindex(p);
    free(gone.name);
    free(gone.data);
    free(gone.problem);
}

void chl_params_drop_all(chl_params *p, const char *prefix, bool others) {
    const size_t length = strlen(prefix);
    for (int64_t i = p->count - 1; i >= 0; i--)
        if ((strncmp(p->array[i].name, prefix, length) == 0) != others)
            chl_params_drop(p, p->array[i].name);
}

void chl_params_ignore_suffix(chl_params *p, const char *suffix) {
    const size_t length = strlen(suffix);
    for (int64_t i = 0; i < p->count; i++) {
        size_t whole = strlen(p->array[i].name);
        if (whole >= length && strcmp(p->array[i].name + whole - length, suffix) == 0)
            p->array[i].used = p->array[i].ignored = true;
    }
}

chl_status chl_params_check_facts(const chl_params *params) {
    for (int64_t i = 0; i < params->facts; i++)
        if (!params->fact[i].used)
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: states \"%s\" = %s, which is unknown: the network may compute "
                            "something else than it was trained to",
                            params->source, params->fact[i].name, params->fact[i].value);
    return CHL_OK;
}

/* The position of the first number that is not finite, -1: none. The first pass has no exit, so
 * that it becomes vector instructions: it runs at the speed of memory. */
static int64_t find_not_finite(const uint32_t *bits, int64_t count) {
    const uint32_t exponent = 0x7F800000;
    uint32_t any = 0;
    for (int64_t i = 0; i < count; i++) any |= (bits[i] & exponent) == exponent;
    for (int64_t i = 0; any && i < count; i++)
        if ((bits[i] & exponent) == exponent) return i;
    return -1;
}

chl_status chl_params_check_finite(const chl_params *p) {
    for (int64_t i = 0; i < p->count; i++) {
        const chl_array *array = &p->array[i];
        if (array->desc.dtype != CHL_F32 || array->ignored || !array->data) continue;
        const int64_t at = find_not_finite(array->data, chl_count(&array->desc));
        if (at >= 0)
            return chl_fail(
                CHL_ERR_NUMERIC,
                "%s: \"%s\" holds %g (number %lld of %lld), expected finite numbers: the "
                "training diverged or the file is damaged: use an earlier checkpoint",
                p->source, array->name, (double)((const float *)array->data)[at], (long long)at + 1,
                (long long)chl_count(&array->desc));
    }
    return CHL_OK;
}

/* Appends the name, quoted, unless it does not fit. */
static void append_name(char *text, size_t size, size_t *length, const char *name) {
    const int written =
        snprintf(text + *length, size - *length, "%s\"%.80s\"", *length ? ", " : "", name);
    if (written > 0 && (size_t)written < size - *length) *length += (size_t)written;
    text[*length] = '\0';
}

void chl_params_list_names(const chl_params *p, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (int64_t i = 0; i < p->count && i < REPORTED_KEYS; i++)
        append_name(text, size, &length, p->array[i].name);
}

chl_status chl_params_check_all_used(const chl_params *p) {
    char list[512] = "";
    size_t length = 0;
    int64_t unused = 0;
    for (int64_t i = 0; i < p->count; i++) {
        if (p->array[i].used) continue;
        if (unused++ < REPORTED_KEYS) append_name(list, sizeof list, &length, p->array[i].name);
    }
    if (!unused) {
        CHL_TRY(chl_params_check_facts(p));
        return chl_params_check_finite(p);
    }
    return chl_fail(CHL_ERR_KEY,
                    "%s: %lld of %lld keys are unknown to this network (%s%s): check that the file "
                    "holds this network and no other, or remove these keys",
                    p->source, (long long)unused, (long long)p->count, list,
                    unused > REPORTED_KEYS ? ", ..." : "");
}
