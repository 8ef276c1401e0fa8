#include "train/audio_targets.h"
#include "base/random.h"
#include "models/registry.h"
#include "text/augment.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE 0x4c61626cu /* Philox key of the draws of wordings */
#define EMBED_ALONE 512     /* docs/method.md, section 2: without a CLIP that tells the size */

/* Texts and pictures in one run of a tower. */
#define BATCH 32

static int batch_for(int64_t count) {
    return count < BATCH ? (int)count : BATCH;
}

/* --- wordings --------------------------------------------------------------------------------- */
typedef struct wordings {
    char **text;
    int64_t count;
} wordings;

static chl_status label_of(const chl_dataset *data, int label, const char **text) {
    for (int64_t i = 0; i < data->count; i++)
        if (data->sample[i].label_id == label) {
            *text = data->sample[i].label;
            return CHL_OK;
        }
    return chl_fail(CHL_ERR_INTERNAL, "%s: no sample has label number %d", data->folder, label);
}

/* The wordings of one label, of which equal ones share a row. The first is the label itself. */
static chl_status word_label(const chl_text_augment *augment, uint64_t seed, int label,
                             const char *text, wordings *all, int64_t *row) {
    char other[CHL_TEXT_MAX_BYTES];
    const int64_t first = all->count;
    chl_text_augment plain = *augment;
    plain.synonym = plain.insert = plain.permute = 0;
    for (int v = 0; v < CHL_WORDINGS; v++) {
        CHL_TRY(chl_text_augment_draw(v ? augment : &plain, seed, (uint64_t)label, (uint64_t)v,
                                      text, other));
        int64_t same = first;
        while (same < all->count && strcmp(all->text[same], other) != 0) same++;
        row[v] = same;
        if (same < all->count) continue;
        all->text[same] = strdup(other);
        if (!all->text[same]) return chl_fail(CHL_ERR_MEMORY, "out of memory for wordings");
        all->count++;
    }
    return CHL_OK;
}

static chl_status word_labels(const chl_trainer *t, const chl_text_augment *augment, wordings *all,
                              int64_t *row) {
    for (int label = 0; label < t->data->labels; label++) {
        const char *text = NULL;
        CHL_TRY(label_of(t->data, label, &text));
        CHL_TRY(word_label(augment, t->options->seed, label, text, all, row));
        row += CHL_WORDINGS;
    }
    return CHL_OK;
}

/* Each rank embeds a share of what all need, as many at a time as one process. */
static chl_status embed_share_of_texts(const chl_trainer *t, chl_clip *clip, const wordings *all,
                                       const chl_audio_targets *targets) {
    int64_t first;
    const int64_t n = chl_ranks_rows(t, all->count, &first);
    if (n > 0)
        CHL_TRY(chl_clip_embed_texts(clip, batch_for(all->count), n,
                                     (const char *const *)all->text + first,
                                     targets->text + first * targets->embed));
    return chl_ranks_gather(t, all->count, targets->embed, targets->text);
}

static chl_status embed_wordings(const chl_trainer *t, const chl_text_augment *augment,
                                 chl_clip *clip, chl_audio_targets *targets) {
    const size_t max_wordings = (size_t)t->data->labels * CHL_WORDINGS;
    wordings all = {.text = calloc(max_wordings + 1, sizeof *all.text)};
    targets->wording = calloc(max_wordings + 1, sizeof *targets->wording);
    chl_status status = CHL_OK;
    if (!all.text || !targets->wording)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for wordings"));
    CHL_TRY_GOTO(word_labels(t, augment, &all, targets->wording));
    targets->text = malloc(sizeof(float) * (size_t)(all.count + 1) * (size_t)targets->embed);
    if (!targets->text) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for texts"));
    CHL_TRY_GOTO(embed_share_of_texts(t, clip, &all, targets));
    chl_log(CHL_LOG_INFO, "texts: %d labels in %" PRId64 " wordings", t->data->labels, all.count);
done:
    for (int64_t i = 0; i < all.count; i++) free(all.text[i]);
    free(all.text);
    return status;
}

static chl_status embed_texts(const chl_trainer *t, chl_clip *clip, chl_audio_targets *targets) {
    chl_text_augment augment = chl_text_augment_defaults();
    chl_wordnet *wordnet = NULL;
    if (t->options->wordnet) CHL_TRY(chl_wordnet_open(t->options->wordnet, &wordnet));
    augment.wordnet = wordnet;
    chl_status status = embed_wordings(t, &augment, clip, targets);
    chl_wordnet_free(wordnet);
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
static chl_status embed_share_of_pictures(const chl_trainer *t, chl_clip *clip, int64_t count,
                                          const char *const *path,
                                          const chl_audio_targets *targets) {
    int64_t first;
    const int64_t n = chl_ranks_rows(t, count, &first);
    if (n > 0)
        CHL_TRY(chl_clip_embed_picture_files(clip, batch_for(count), n, path + first,
                                             targets->picture + first * targets->embed));
    return chl_ranks_gather(t, count, targets->embed, targets->picture);
}

static chl_status embed_pictures(const chl_trainer *t, chl_clip *clip, chl_audio_targets *targets) {
    const chl_dataset *data = t->data;
    const size_t most = (size_t)data->count + 1;
    int64_t count = 0;
    const char **path = malloc(sizeof *path * most);
    targets->picture = malloc(sizeof(float) * most * (size_t)targets->embed);
    targets->picture_row = malloc(sizeof *targets->picture_row * most);
    chl_status status = CHL_OK;
    if (!path || !targets->picture || !targets->picture_row)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for pictures"));
    for (int64_t i = 0; i < data->count; i++) {
        targets->picture_row[i] = count;
        if (data->sample[i].picture) path[count++] = data->sample[i].picture;
    }
    CHL_TRY_GOTO(embed_share_of_pictures(t, clip, count, path, targets));
done:
    free(path);
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
            data->folder);
    if (borrow + none > 0)
        chl_log(CHL_LOG_INFO,
                "pictures: %" PRId64 " samples borrow one of their label or kind; %" PRId64
                " find none, and are in the losses without pictures only",
                borrow, none);
    return CHL_OK;
}

/* --- all of it -------------------------------------------------------------------------------- */
static chl_status check_labels(const chl_dataset *data) {
    for (int64_t i = 0; i < data->count; i++)
        if (data->sample[i].label_id < 0)
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: sample %" PRId64
                            " has no \"label\": add it, or set the weights of "
                            "the losses that use it to 0",
                            data->folder, i + 1);
    return CHL_OK;
}

static chl_status fill(const chl_trainer *t, bool texts, bool pictures,
                       chl_audio_targets *targets) {
    const chl_train_options *o = t->options;
    if (!o->clip || (texts && !o->vocab))
        return chl_fail(CHL_ERR_ARGUMENT, "training the sound encoder needs clip, the frozen CLIP "
                                          "pair, and needs vocab, its merges");
    if (texts) CHL_TRY(check_labels(t->data));
    if (pictures) CHL_TRY(pair_pictures(t, targets));
    chl_clip *clip;
    const chl_model_place place = {.device = t->device, .precision = CHL_F32};
    const chl_clip_settings settings = {.resize = CHL_CLIP_AREA};
    CHL_TRY(chl_clip_open(&place, o->clip, texts ? o->vocab : NULL, &settings, &clip));
    targets->embed = clip->config.embed;
    chl_status status;
    if (texts) CHL_TRY_GOTO(embed_texts(t, clip, targets));
    if (pictures) CHL_TRY_GOTO(embed_pictures(t, clip, targets));
    status = CHL_OK;
done:
    chl_clip_close(clip);
    return status;
}

chl_status chl_audio_targets_new(const chl_trainer *t, chl_audio_targets **out) {
    const chl_train_options *o = t->options;
    const bool texts = o->weight_text != 0 || o->weight_weak_pair != 0;
    const bool pictures = o->weight_image != 0 || o->weight_weak_pair != 0;
    *out = NULL;
    chl_audio_targets *targets = calloc(1, sizeof *targets);
    if (!targets) return chl_fail(CHL_ERR_MEMORY, "out of memory for targets");
    targets->embed = EMBED_ALONE;
    chl_status status = texts || pictures ? fill(t, texts, pictures, targets) : CHL_OK;
    if (status == CHL_OK)
        *out = targets;
    else
        chl_audio_targets_free(targets);
    return status;
}

void chl_audio_targets_free(chl_audio_targets *targets) {
    if (!targets) return;
    free(targets->text);
    free(targets->wording);
    free(targets->picture);
    free(targets->picture_row);
    chl_weak_pairs_free(targets->pairs);
    free(targets);
}
