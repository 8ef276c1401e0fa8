#include "train/dataset_private.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SAMPLES (1 << 30)

static chl_status no_memory(const char *path) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", path);
}

chl_status chl_sample_add(chl_sample_reader *r, chl_sample **out) {
    chl_dataset *data = r->data;
    if (data->count == r->capacity) {
        const int64_t capacity = r->capacity ? 2 * r->capacity : 1024;
        if (capacity > MAX_SAMPLES) return no_memory(r->path);
        chl_sample *grown = realloc(data->sample, (size_t)capacity * sizeof *grown);
        if (!grown) return no_memory(r->path);
        data->sample = grown;
        r->capacity = capacity;
    }
    *out = &data->sample[data->count++];
    **out = (chl_sample){.line = r->line, .level_db = NAN};
    return CHL_OK;
}

/* The number of the text among those seen so far, -1 for none. */
static chl_status number_of(const chl_sample_reader *r, const char *text, chl_names *names,
                            int *id) {
    *id = -1;
    if (!text) return CHL_OK;
    *id = chl_names_add(names, text); /* which keeps the sample's own text */
    return *id >= 0 ? CHL_OK : no_memory(r->path);
}

chl_status chl_sample_number(chl_sample_reader *r, chl_sample *s) {
    CHL_TRY(number_of(r, s->label, &r->label, &s->label_id));
    CHL_TRY(number_of(r, s->kind, &r->kind, &s->kind_id));
    CHL_TRY(number_of(r, s->source, &r->source, &s->source_id));
    return number_of(r, s->kind ? s->kind : s->label, &r->group, &s->group_id);
}

const char *chl_sample_place(const chl_dataset *data, const chl_sample *s, char text[CHL_PLACE]) {
    const bool listed = !s->entry || strcmp(data->from->layout, "manifest") == 0;
    const char *name = s->sound ? s->sound : s->picture;
    if (listed || !name) name = data->list; /* a picture that is not there names nothing */
    const size_t length = strlen(name), most = CHL_PLACE - 32;
    if (length > most) name += length - most;
    if (listed)
        snprintf(text, CHL_PLACE, "%s line %" PRId64, name, s->line);
    else
        snprintf(text, CHL_PLACE, "%s", name);
    return text;
}

void chl_sample_release(const chl_sample *s) {
    if (s->entry) return; /* the texts are the source's */
    free((void *)s->sound);
    free((void *)s->picture);
    free((void *)s->label);
    free((void *)s->caption);
    free((void *)s->captions);
    free((void *)s->kind);
    free((void *)s->source);
    free((void *)s->split);
}
