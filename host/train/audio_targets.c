#include "train/audio_targets.h"
#include "base/free.h"
#include "base/random.h"
#include "train/left_out.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE 0x4c61626cu /* Philox key of the draws of wordings */
#define EMBED_ALONE 512     /* docs/method.md, section 2: without a CLIP that tells the size */

#define BATCH 32 /* texts and pictures in one run of a tower */

enum { NOT_YET, MADE, UNREADABLE }; /* a picture's embedding */

/* --- texts ------------------------------------------------------------------------------------ */
/* Each rank embeds a share of what all need. */
static chl_status embed_share_of_texts(const chl_trainer *t, const chl_wordings *all,
                                       const chl_audio_targets *targets) {
    int64_t first;
    const int64_t n = chl_ranks_rows(t, all->count, &first);
    if (n > 0)
        CHL_TRY(chl_frozen_texts(targets->frozen, n, (const char *const *)all->text + first,
                                 targets->text + first * targets->embed));
    return chl_ranks_gather(t, all->count, targets->embed, targets->text);
}

static chl_status embed_texts(const chl_trainer *t, chl_audio_targets *targets) {
    chl_wordings all;
    CHL_TRY(chl_wordings_make(t->data, t->options->seed, t->options->wordnet, &all));
    targets->text = malloc(sizeof(float) * (size_t)(all.count + 1) * (size_t)targets->embed);
    chl_status status = targets->text ? embed_share_of_texts(t, &all, targets)
                                      : chl_fail(CHL_ERR_MEMORY, "out of memory for texts");
    if (status == CHL_OK)
        chl_log(CHL_LOG_INFO, "texts: %d labels in %" PRId64 " wordings", t->data->labels,
                all.count);
    targets->wording = all.row;
    all.row = NULL;
    chl_wordings_free(&all);
    return status;
}

const float *chl_audio_text(const chl_audio_targets *targets, uint64_t seed, int64_t step,
                            int64_t place, const chl_sample *sample) {
    uint32_t word = chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)place).word[0];
    int variant = (int)chl_random_below(word, CHL_WORDINGS);
    return targets->text +
           targets->wording[sample->label_id * CHL_WORDINGS + variant] * targets->embed;
}

/* --- pictures --------------------------------------------------------------------------------- */
/* Of these samples, which have pictures; those that cannot be read are left out. */
static chl_status embed_these(chl_audio_targets *targets, int64_t count, const int64_t *sample) {
    const chl_dataset *data = targets->data;
    const bool may_fail = chl_left_out_allows(data->left_out);
    chl_media *picture = malloc(sizeof *picture * (size_t)(count + 1));
    float *rows = malloc(sizeof *rows * (size_t)(count * targets->embed + 1));
    char **why = calloc((size_t)count + 1, sizeof *why);
    chl_status status =
        picture && rows && why ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for pictures");
    for (int64_t i = 0; i < count && status == CHL_OK; i++)
        picture[i] = chl_sample_picture(&data->sample[sample[i]]);
    if (status == CHL_OK)
        status = chl_frozen_pictures(targets->frozen, count, picture, rows, may_fail ? why : NULL);
    for (int64_t i = 0; i < count && status == CHL_OK; i++) {
        const int64_t row = targets->picture_row[sample[i]];
        targets->made[row] = why[i] ? UNREADABLE : MADE;
        memcpy(targets->picture + row * targets->embed, rows + i * targets->embed,
               sizeof *rows * (size_t)targets->embed);
        if (why[i])
            status = chl_left_out_picture(data->left_out, chl_media_name(&picture[i]), why[i]);
    }
    for (int64_t i = 0; why && i < count; i++) free(why[i]);
    free(why);
    free(rows);
    free(picture);
    return status;
}

/* The picture that takes the place of one that cannot be read: the next sample's that has one of the
 * same label, else of any; -1: there is none. A function of which are unreadable. */
static int64_t next_picture(const chl_audio_targets *targets, int64_t sample) {
    const chl_dataset *data = targets->data;
    for (int any = 0; any < 2; any++)
        for (int64_t i = 1; i < data->count; i++) {
            const int64_t other = (sample + i) % data->count;
            if (!data->sample[other].picture ||
                targets->made[targets->picture_row[other]] == UNREADABLE)
                continue;
            if (any || data->sample[other].label_id == data->sample[sample].label_id) return other;
        }
    return -1;
}

static chl_status fill_unreadable(chl_audio_targets *targets, int64_t sample) {
    const int64_t embed = targets->embed;
    for (;;) {
        const int64_t other = next_picture(targets, sample);
        if (other < 0)
            return chl_fail(CHL_ERR_FORMAT, "%s: no picture can be read", targets->data->list);
        const int64_t from = targets->picture_row[other], to = targets->picture_row[sample];
        if (targets->made[from] == NOT_YET) CHL_TRY(embed_these(targets, 1, &other));
        if (targets->made[from] == UNREADABLE) continue;
        memcpy(targets->picture + to * embed, targets->picture + from * embed,
               sizeof(float) * (size_t)embed);
        return CHL_OK;
    }
}

chl_status chl_audio_need_pictures(chl_audio_targets *targets, int64_t count,
                                   const int64_t *sample) {
    int64_t *missing = malloc(sizeof *missing * (size_t)(count + 1)), found = 0;
    if (!missing) return chl_fail(CHL_ERR_MEMORY, "out of memory for pictures");
    for (int64_t i = 0; i < count; i++) {
        if (sample[i] < 0) continue;
        uint8_t *made = &targets->made[targets->picture_row[sample[i]]];
        if (*made != NOT_YET) continue;
        *made = MADE; /* once, where it is on the list twice */
        missing[found++] = sample[i];
    }
    for (int64_t i = 0; i < found; i++) targets->made[targets->picture_row[missing[i]]] = NOT_YET;
    chl_status status = found ? embed_these(targets, found, missing) : CHL_OK;
    for (int64_t i = 0; i < found && status == CHL_OK; i++)
        if (targets->made[targets->picture_row[missing[i]]] == UNREADABLE)
            status = fill_unreadable(targets, missing[i]);
    targets->left -= found;
    if (found > 0 && targets->left == 0) chl_frozen_rest(targets->frozen);
    free(missing);
    return status;
}

static bool is_zero(const chl_audio_targets *targets, int64_t row) {
    for (int k = 0; k < targets->embed; k++)
        if (targets->picture[row * targets->embed + k] != 0) return false;
    return true;
}

/* A run that makes batches beside the steps has all of them before the first one: the device that
 * embeds is busy later. Each rank embeds a share. */
static chl_status embed_all_pictures(const chl_trainer *t, chl_audio_targets *targets,
                                     const int64_t *sample) {
    int64_t first;
    const int64_t all = targets->left, n = chl_ranks_rows(t, all, &first);
    if (n > 0) CHL_TRY(embed_these(targets, n, sample + first));
    CHL_TRY(chl_ranks_gather(t, all, targets->embed, targets->picture));
    for (int64_t i = 0; i < all; i++) /* an embedding has length 1, what no rank could read 0 */
        targets->made[i] = is_zero(targets, i) ? UNREADABLE : MADE;
    for (int64_t i = 0; i < all; i++)
        if (targets->made[i] == UNREADABLE) CHL_TRY(fill_unreadable(targets, sample[i]));
    targets->left = 0;
    chl_frozen_rest(targets->frozen);
    return CHL_OK;
}

static chl_status prepare_pictures(const chl_trainer *t, chl_audio_targets *targets) {
    const chl_dataset *data = t->data;
    const size_t most = (size_t)data->count + 1;
    const bool ahead = t->device->queue || t->options->ahead > 0;
    int64_t *sample = calloc(most, sizeof *sample);
    targets->picture = calloc(most * (size_t)targets->embed, sizeof *targets->picture);
    targets->picture_row = malloc(sizeof *targets->picture_row * most);
    targets->made = calloc(most, sizeof *targets->made);
    chl_status status = CHL_OK;
    if (!sample || !targets->picture || !targets->picture_row || !targets->made)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for pictures"));
    for (int64_t i = 0; i < data->count; i++) {
        targets->picture_row[i] = targets->left;
        if (data->sample[i].picture) sample[targets->left++] = i;
    }
    if (ahead) CHL_TRY_GOTO(embed_all_pictures(t, targets, sample));
done:
    free(sample);
    return status;
}

/* Samples without a picture borrow one; the log says how many do, and how many find none. */
static chl_status pair_pictures(const chl_trainer *t, chl_audio_targets *targets) {
    const chl_dataset *data = t->data;
    int64_t borrow = 0, none = 0;
    CHL_TRY(chl_weak_pairs_new(data, &targets->pairs));
    if (t->options->weight_weak_pair != 0) CHL_TRY(chl_weak_pairs_check(targets->pairs));
    for (int64_t i = 0; i < data->count; i++) {
        if (data->sample[i].picture) continue;
        if (chl_weak_pairs_pictured(targets->pairs, i))
            borrow++;
        else
            none++;
    }
    targets->some_left_out = none > 0;
    if (borrow + none == data->count)
        return chl_fail(
            CHL_ERR_FORMAT,
            "%s: no sample has a \"picture\": add some, or set the weights of the losses "
            "that use them to 0",
            data->list);
    if (borrow + none > 0)
        chl_log(CHL_LOG_INFO,
                "pictures: %" PRId64 " samples borrow one of their label or kind; %" PRId64
                " find none, and are in the losses without pictures only",
                borrow, none);
    return CHL_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */
static chl_status check_labels(const chl_dataset *data) {
    char place[CHL_PLACE];
    if (!chl_dataset_lacks_label(data, false, place)) return CHL_OK;
    return chl_fail(
        CHL_ERR_FORMAT,
        "%s has no \"label\": add it, or set the weights of the losses that use it to 0", place);
}

static chl_status fill(const chl_trainer *t, bool texts, bool pictures,
                       chl_audio_targets *targets) {
    const chl_train_options *o = t->options;
    if (!o->clip || (texts && !o->vocab))
        return chl_fail(CHL_ERR_ARGUMENT, "training the sound encoder needs clip, the frozen CLIP "
                                          "pair, and needs vocab, its merges");
    if (texts) CHL_TRY(check_labels(t->data));
    if (pictures) CHL_TRY(pair_pictures(t, targets));
    const chl_frozen_source source = {.device = t->device,
                                      .clip = o->clip,
                                      .vocab = texts ? o->vocab : NULL,
                                      .cache = o->cache,
                                      .batch =
                                          t->data->count < BATCH ? (int)t->data->count : BATCH};
    targets->data = t->data;
    CHL_TRY(chl_frozen_open(&source, &targets->frozen));
    targets->embed = chl_frozen_width(targets->frozen);
    if (texts) CHL_TRY(embed_texts(t, targets));
    if (pictures) CHL_TRY(prepare_pictures(t, targets));
    if (!pictures) chl_frozen_rest(targets->frozen);
    return CHL_OK;
}

chl_status chl_audio_targets_new(const chl_trainer *t, chl_audio_targets **out) {
    const chl_train_options *o = t->options;
    const bool texts = o->weight_text != 0 || o->weight_weak_pair != 0 || o->weight_cosine != 0;
    const bool pictures = o->weight_image != 0 || o->weight_weak_pair != 0;
    *out = NULL;
    chl_audio_targets *targets = calloc(1, sizeof *targets);
    if (!targets) return chl_fail(CHL_ERR_MEMORY, "out of memory for targets");
    targets->embed = EMBED_ALONE;
    chl_status status = texts || pictures ? fill(t, texts, pictures, targets) : CHL_OK;
    CHL_HAND_OVER(status, targets, out, chl_audio_targets_free);
}

void chl_audio_targets_free(chl_audio_targets *targets) {
    if (!targets) return;
    CHL_FREE(targets->text, targets->wording, targets->picture, targets->picture_row,
             targets->made);
    chl_frozen_close(targets->frozen);
    chl_weak_pairs_free(targets->pairs);
    free(targets);
}
