#include "train/wordings.h"
#include "text/augment.h"
#include <stdlib.h>
#include <string.h>

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
                             const char *text, chl_wordings *all, int64_t *row) {
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

static chl_status word_labels(const chl_dataset *data, uint64_t seed,
                              const chl_text_augment *augment, chl_wordings *all) {
    for (int label = 0; label < data->labels; label++) {
        const char *text = NULL;
        CHL_TRY(label_of(data, label, &text));
        CHL_TRY(word_label(augment, seed, label, text, all, all->row + label * CHL_WORDINGS));
    }
    return CHL_OK;
}

chl_status chl_wordings_make(const chl_dataset *data, uint64_t seed, const char *wordnet,
                             chl_wordings *out) {
    chl_text_augment augment = chl_text_augment_defaults();
    const size_t most = (size_t)data->labels * CHL_WORDINGS;
    chl_wordnet *opened = NULL;
    *out = (chl_wordings){.text = calloc(most + 1, sizeof *out->text),
                          .row = calloc(most + 1, sizeof *out->row)};
    chl_status status =
        out->text && out->row ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for wordings");
    if (status == CHL_OK && wordnet) status = chl_wordnet_open(wordnet, &opened);
    augment.wordnet = opened;
    if (status == CHL_OK) status = word_labels(data, seed, &augment, out);
    chl_wordnet_free(opened);
    if (status != CHL_OK) chl_wordings_free(out);
    return status;
}

void chl_wordings_free(chl_wordings *wordings) {
    for (int64_t i = 0; i < wordings->count; i++) free(wordings->text[i]);
    free(wordings->text);
    free(wordings->row);
    *wordings = (chl_wordings){0};
}
