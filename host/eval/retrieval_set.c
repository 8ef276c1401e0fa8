#include "eval/retrieval_set.h"
#include "base/free.h"
#include "base/grow.h"
#include "data/captions.h"
#include "train/left_out.h"
#include <stdlib.h>
#include <string.h>

static chl_status no_memory(const chl_retrieval_set *s) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its list", s->data->list);
}

static chl_status add_pair(const chl_retrieval_set *s, chl_pair **list, int64_t *count,
                           int64_t *room, chl_pair pair) {
    chl_pair *more = chl_grown(*list, *count, room, sizeof *more);
    if (!more) return no_memory(s);
    *list = more;
    more[(*count)++] = pair;
    return CHL_OK;
}

/* The number of the sound or picture among the different ones. */
static chl_status number_media(const chl_retrieval_set *s, chl_names *names, chl_media **list,
                               int *count, int *room, const chl_media *media, int *number) {
    *number = chl_names_add(names, chl_media_name(media));
    if (*number < 0) return no_memory(s);
    if (*number < *count) return CHL_OK;
    int64_t wide = *room;
    chl_media *more = chl_grown(*list, *count, &wide, sizeof *more);
    if (!more) return no_memory(s);
    *room = (int)wide;
    *list = more;
    more[(*count)++] = *media;
    return CHL_OK;
}

/* --- texts ------------------------------------------------------------------------------------ */
static chl_status add_text(chl_retrieval_set *s, int sound, const char *text, size_t length) {
    char *copy = strndup(text, length);
    const int number = copy ? chl_names_add(&s->text_name, copy) : -1;
    if (number < 0 || number < s->texts) free(copy);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the names keep it */
    if (number < 0) return no_memory(s);
    if (number == s->texts) s->texts++;
    return add_pair(s, &s->with_text, &s->told, &s->told_room, (chl_pair){sound, number});
}

static chl_status add_texts(chl_retrieval_set *s, const chl_sample *sample, int sound) {
    const char *only = s->labels ? sample->label ? sample->label : sample->kind : sample->caption;
    size_t length;
    if (s->labels || !sample->captions)
        return only ? add_text(s, sound, only, strlen(only)) : CHL_OK;
    for (const char *at = sample->captions, *one; (one = chl_captions_next(&at, &length));)
        CHL_TRY(add_text(s, sound, one, length));
    return CHL_OK;
}

/* --- clips ------------------------------------------------------------------------------------ */
static chl_status is_sound(const chl_media *media, bool *fine) {
    chl_media_sound opened;
    const chl_status status = chl_media_sound_open(media, &opened);
    *fine = status == CHL_OK;
    if (*fine) chl_media_sound_close(&opened);
    return *fine || chl_left_out_blames(status) ? CHL_OK : status;
}

/* The recording that a sound is a part of, or the sound itself. */
static chl_status add_group(chl_retrieval_set *s, const chl_sample *sample, int sound) {
    const char *from = sample->entry ? sample->entry->from : NULL;
    int *more = realloc(s->group, sizeof *more * (size_t)s->sounds);
    if (!more) return no_memory(s);
    s->group = more;
    more[sound] = chl_names_add(&s->group_name, from ? from : chl_media_name(&s->sound[sound]));
    return more[sound] >= 0 ? CHL_OK : no_memory(s);
}

static chl_status add_clip(chl_retrieval_set *s, const chl_sample *sample) {
    const chl_media sound = chl_sample_sound(sample), picture = chl_sample_picture(sample);
    const int before = s->sounds;
    int number, seen;
    bool fine = true;
    if (chl_names_find(&s->sound_name, chl_media_name(&sound)) < 0)
        CHL_TRY(is_sound(&sound, &fine));
    if (!fine) {
        chl_log(CHL_LOG_WARN, "left out: %s", chl_error());
        s->missing++;
        return CHL_OK;
    }
    s->clips++;
    CHL_TRY(
        number_media(s, &s->sound_name, &s->sound, &s->sounds, &s->sound_room, &sound, &number));
    if (s->sounds > before) CHL_TRY(add_group(s, sample, number));
    CHL_TRY(add_texts(s, sample, number));
    if (!picture.path) return CHL_OK;
    CHL_TRY(number_media(s, &s->picture_name, &s->picture, &s->pictures, &s->picture_room, &picture,
                         &seen));
    return add_pair(s, &s->with_picture, &s->shown, &s->shown_room, (chl_pair){number, seen});
}

static chl_status read_clips(chl_retrieval_set *s, int64_t limit, bool labels) {
    const chl_dataset *d = s->data;
    const int64_t count = limit > 0 && limit < d->count ? limit : d->count;
    bool captions = false;
    for (int64_t i = 0; i < count; i++) captions = captions || d->sample[i].caption;
    s->labels = labels || !captions;
    s->missing = chl_left_out_count(d->left_out);
    for (int64_t i = 0; i < count; i++) CHL_TRY(add_clip(s, &d->sample[i]));
    s->text = s->text_name.name;
    s->shown = chl_pairs_sort(s->shown, s->with_picture);
    s->told = chl_pairs_sort(s->told, s->with_text);
    if (s->sounds > 0) return CHL_OK;
    return chl_fail(CHL_ERR_FORMAT, "%s: none of its %lld sounds can be read", d->list,
                    (long long)count);
}

chl_status chl_retrieval_set_open(const char *path, const char *split, int64_t limit, bool labels,
                                  chl_retrieval_set *out) {
    const chl_dataset_choice choice = {.split = split, .tolerate = 1};
    *out = (chl_retrieval_set){0};
    CHL_TRY(chl_dataset_open_chosen(path, CHL_NEED_SOUND, &choice, &out->data));
    const chl_status status = read_clips(out, limit, labels);
    if (status != CHL_OK) chl_retrieval_set_free(out);
    return status;
}

void chl_retrieval_set_free(chl_retrieval_set *s) {
    for (int i = 0; i < s->texts; i++) free((void *)s->text_name.name[i]);
    chl_names_free(&s->sound_name);
    chl_names_free(&s->picture_name);
    chl_names_free(&s->text_name);
    chl_names_free(&s->group_name);
    CHL_FREE(s->sound, s->picture, s->group, s->with_picture, s->with_text);
    chl_dataset_free(s->data);
    *s = (chl_retrieval_set){0};
}
