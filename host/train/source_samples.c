/* The samples of a data set that has no pairs.jsonl (data/source.h). */
#include "train/class_columns.h"
#include "train/dataset_private.h"
#include <math.h>
#include <unistd.h>

static chl_status check_need(const chl_sample_reader *r, const chl_sample *s) {
    char place[CHL_PLACE];
    const struct {
        unsigned need;
        bool there;
        const char *key;
    } wanted[] = {{CHL_NEED_SOUND, s->sound, "sound"}, {CHL_NEED_PICTURE, s->picture, "picture"},
                  {CHL_NEED_LABEL, s->label, "label"}, {CHL_NEED_CAPTION, s->caption, "caption"},
                  {CHL_NEED_KIND, s->kind, "kind"},    {CHL_NEED_LATENT, false, "latent"}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if ((r->need & wanted[i].need) && !wanted[i].there)
            return chl_fail(CHL_ERR_KEY, "%s: a %s is missing, which is needed here",
                            chl_sample_place(r->data, s, place), wanted[i].key);
    return CHL_OK;
}

static chl_status add_sample(chl_sample_reader *r, chl_entry *e) {
    chl_sample *s;
    r->line = e->line;
    CHL_TRY(chl_sample_add(r, &s));
    if (e->picture.path && !e->picture.bytes && access(e->picture.path, R_OK) != 0) {
        CHL_TRY(chl_left_out_missing(r->data->left_out, e->picture.path, "it is not there"));
        e->picture = (chl_media){0};
        if (r->need & CHL_NEED_PICTURE) {
            r->data->count--; /* it is counted as left out */
            return CHL_OK;
        }
    }
    s->entry = e;
    s->sound = e->sound.path ? chl_media_name(&e->sound) : NULL;
    s->picture = e->picture.path ? chl_media_name(&e->picture) : NULL;
    s->label = e->label;
    s->caption = e->caption;
    s->captions = e->captions;
    s->kind = e->kind;
    s->source = e->from;
    s->split = e->split;
    s->strength = e->strength;
    s->strength_given = e->level_told;
    s->level_db = e->level_given ? e->level_db : NAN;
    CHL_TRY(chl_sample_number(r, s));
    return check_need(r, s);
}

chl_status chl_source_samples(chl_sample_reader *r) {
    chl_dataset *data = r->data;
    const chl_source_choice choice = {.split = r->choice->split,
                                      .write_index = r->choice->write_index,
                                      .pictures = !(r->need & CHL_NEED_SOUND)};
    CHL_TRY(chl_source_open(data->folder, &choice, &data->from));
    for (int64_t i = 0; i < data->from->missing; i++)
        CHL_TRY(
            chl_left_out_missing(data->left_out, data->from->missing_name[i], "it is not there"));
    for (int64_t i = 0; i < data->from->count; i++) CHL_TRY(add_sample(r, &data->from->entry[i]));
    return CHL_OK;
}
