#include "eval/corpus_list.h"
#include "base/free.h"
#include <stdlib.h>
#include <string.h>

void chl_corpus_forget(chl_corpus *corpus, int64_t sound) {
    free((void *)corpus->sound[sound].path);
    free((void *)corpus->sound[sound].name);
}

void chl_corpus_free(chl_corpus *corpus) {
    for (int64_t i = 0; i < corpus->count; i++) chl_corpus_forget(corpus, i);
    for (int i = 0; i < corpus->labels; i++) free((void *)corpus->label[i]);
    for (int i = 0; i < corpus->groups.count; i++) free((void *)corpus->groups.name[i]);
    for (int i = 0; i < corpus->splits.count; i++) free((void *)corpus->splits.name[i]);
    chl_names_free(&corpus->names);
    chl_names_free(&corpus->groups);
    chl_names_free(&corpus->splits);
    CHL_FREE(corpus->sound, corpus->truth, corpus->fold, corpus->group, corpus->split);
    *corpus = (chl_corpus){0};
}

/* The number of a name, which is copied when it is new; -1 without memory. */
static int number_of(chl_names *names, const char *name) {
    const int known = chl_names_find(names, name);
    if (known >= 0) return known;
    char *copy = strdup(name);
    const int number = copy ? chl_names_add(names, copy) : -1;
    if (number < 0) free(copy);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the names keep it */
    return number;
}

/* The capacity doubles when the count is a power of two. */
static bool make_room(chl_corpus *c) {
    if ((c->count & (c->count - 1)) != 0) return true;
    const size_t capacity = c->count ? 2 * (size_t)c->count : 1;
    chl_media *sounds = realloc(c->sound, sizeof *sounds * capacity);
    if (sounds) c->sound = sounds;
    int **const numbers[] = {&c->truth, &c->fold, &c->group, &c->split};
    bool whole = sounds != NULL;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int *grown = realloc(*numbers[i], sizeof *grown * capacity);
        if (grown) *numbers[i] = grown;
        whole = whole && grown;
    }
    return whole;
}

chl_status chl_corpus_add(chl_corpus *c, const char *folder, const chl_corpus_sound *sound) {
    const int truth = number_of(&c->names, sound->label);
    const int group = sound->group ? number_of(&c->groups, sound->group) : -1;
    const int split = sound->split ? number_of(&c->splits, sound->split) : -1;
    c->label = c->names.name;
    c->labels = c->names.count;
    if (truth < 0 || (sound->group && group < 0) || (sound->split && split < 0) || !make_room(c))
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
    chl_media *to = &c->sound[c->count];
    *to = sound->media;
    to->path = strdup(sound->media.path);
    to->name = sound->media.name ? strdup(sound->media.name) : NULL;
    if (!to->path || (sound->media.name && !to->name)) {
        chl_corpus_forget(c, c->count);
        return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", folder);
    }
    c->truth[c->count] = truth;
    c->fold[c->count] = sound->fold;
    c->split[c->count] = split;
    c->group[c->count++] = group;
    return CHL_OK;
}
