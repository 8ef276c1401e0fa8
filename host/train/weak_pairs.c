#include "train/weak_pairs.h"
#include "base/random.h"
#include "train/groups.h"
#include <inttypes.h>
#include <stdlib.h>

#define PURPOSE 0x5765616bu        /* Philox key of the partners */
#define PURPOSE_BORROW 0x426f7272u /* and of what is borrowed */

struct chl_weak_pairs {
    const chl_dataset *data;
    chl_groups label, kind; /* of the samples with pictures */
};

static chl_status sort_into(const chl_dataset *data, bool kinds, chl_groups *groups) {
    int *number = malloc(sizeof *number * (size_t)(data->count + 1));
    if (!number) return chl_fail(CHL_ERR_MEMORY, "out of memory for weak pairs");
    for (int64_t i = 0; i < data->count; i++) {
        const chl_sample *s = &data->sample[i];
        number[i] = !s->picture ? -1 : kinds ? s->kind_id : s->label_id;
    }
    const chl_status status =
        chl_groups_sort(data->count, number, kinds ? data->kinds : data->labels, groups);
    free(number);
    return status;
}

chl_status chl_weak_pairs_new(const chl_dataset *dataset, chl_weak_pairs **out) {
    *out = NULL;
    chl_weak_pairs *pairs = calloc(1, sizeof *pairs);
    if (!pairs) return chl_fail(CHL_ERR_MEMORY, "out of memory for weak pairs");
    pairs->data = dataset;
    chl_status status;
    CHL_TRY_GOTO(sort_into(dataset, false, &pairs->label));
    CHL_TRY_GOTO(sort_into(dataset, true, &pairs->kind));
done:
    CHL_HAND_OVER(status, pairs, out, chl_weak_pairs_free);
}

void chl_weak_pairs_free(chl_weak_pairs *pairs) {
    if (!pairs) return;
    chl_groups_free(&pairs->label);
    chl_groups_free(&pairs->kind);
    free(pairs);
}

/* Whose pictures they are: the group, its number, and whether the sample is one of it. */
typedef struct others {
    const chl_groups *groups;
    int number;
    int64_t count;
} others;

static others others_of(const chl_weak_pairs *pairs, const chl_sample *s) {
    const int own = s->picture != NULL;
    const int64_t by_label =
        chl_groups_size(&pairs->label, s->label_id) - (s->label_id >= 0 && own);
    if (by_label > 0) return (others){&pairs->label, s->label_id, by_label};
    return (others){&pairs->kind, s->kind_id,
                    chl_groups_size(&pairs->kind, s->kind_id) - (s->kind_id >= 0 && own)};
}

chl_status chl_weak_pairs_check(const chl_weak_pairs *pairs) {
    const chl_dataset *data = pairs->data;
    int64_t alone = 0;
    const chl_sample *first = NULL;
    char place[CHL_PLACE];
    for (int64_t i = 0; i < data->count; i++) {
        const chl_sample *s = &data->sample[i];
        if (s->label_id < 0)
            return chl_fail(CHL_ERR_FORMAT, "%s has no \"label\", which the weak-pair loss needs",
                            chl_sample_place(data, s, place));
        const others found = others_of(pairs, s);
        if (found.count < 1 && s->picture)
            return chl_fail(CHL_ERR_FORMAT,
                            "%s is the only one of the label \"%s\" and of its "
                            "kind, so it has no weak pair: add samples of that label, or set "
                            "weight_weak_pair to 0",
                            chl_sample_place(data, s, place), s->label);
        if (found.count < 1 || found.groups == &pairs->label) continue;
        if (!alone++) first = s;
    }
    if (alone)
        chl_log(CHL_LOG_INFO,
                "weak pairs: %" PRId64 " samples are alone with their label (the first: \"%s\") "
                "and are paired with others of their kind",
                alone, first->label);
    return CHL_OK;
}

bool chl_weak_pairs_pictured(const chl_weak_pairs *pairs, int64_t sample) {
    const chl_sample *s = &pairs->data->sample[sample];
    return s->picture || others_of(pairs, s).count > 0;
}

static int64_t draw(const chl_weak_pairs *pairs, uint32_t word, int64_t sample) {
    const others found = others_of(pairs, &pairs->data->sample[sample]);
    if (found.count < 1) return -1;
    const int64_t *member = chl_groups_of(found.groups, found.number);
    const int64_t pick = chl_random_below(word, found.count);
    /* of a group that holds the sample: drawn from all but the last, which stands in for it */
    return member[pick] == sample ? member[found.count] : member[pick];
}

int64_t chl_weak_pairs_draw(const chl_weak_pairs *pairs, uint64_t seed, int64_t step, int64_t place,
                            int64_t sample) {
    return draw(pairs, chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)place).word[0], sample);
}

int64_t chl_weak_pairs_borrow(const chl_weak_pairs *pairs, uint64_t seed, int64_t step,
                              int64_t place, int64_t sample) {
    if (pairs->data->sample[sample].picture) return sample;
    return draw(pairs, chl_random(seed, PURPOSE_BORROW, (uint64_t)step, (uint64_t)place).word[0],
                sample);
}
