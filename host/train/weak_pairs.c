#include "train/weak_pairs.h"
#include "base/random.h"
#include <inttypes.h>
#include <stdlib.h>

#define PURPOSE 0x5765616bu /* Philox key of these draws */

/* Samples sorted by label or by kind: group k is member[first[k]] ...
 * member[first[k + 1] - 1]. */
typedef struct groups {
    int64_t *first, *member;
} groups;

struct chl_weak_pairs {
    const chl_dataset *data;
    groups label, kind;
};

static int group_of(const chl_sample *sample, bool kinds) {
    return kinds ? sample->kind_id : sample->label_id;
}

static chl_status sort_into(const chl_dataset *data, bool kinds, groups *g) {
    const int count = kinds ? data->kinds : data->labels;
    g->first = calloc((size_t)count + 2, sizeof *g->first);
    g->member = malloc(sizeof *g->member * (size_t)(data->count + 1));
    if (!g->first || !g->member) return chl_fail(CHL_ERR_MEMORY, "out of memory for weak pairs");
    /* Counts are stored two places up and summed: filling a group moves its start, one place up, to
     * its end, which is the start of the next group. */
    for (int64_t i = 0; i < data->count; i++) {
        int k = group_of(&data->sample[i], kinds);
        if (k >= 0) g->first[k + 2]++;
    }
    for (int k = 0; k < count; k++) g->first[k + 2] += g->first[k + 1];
    for (int64_t i = 0; i < data->count; i++) {
        int k = group_of(&data->sample[i], kinds);
        if (k >= 0) g->member[g->first[k + 1]++] = i;
    }
    return CHL_OK;
}

static int64_t size_of(const groups *g, int k) {
    return k < 0 ? 0 : g->first[k + 1] - g->first[k];
}

static chl_status check_partners(const chl_weak_pairs *pairs) {
    const chl_dataset *data = pairs->data;
    int64_t alone = 0;
    const chl_sample *first = NULL;
    for (int64_t i = 0; i < data->count; i++) {
        const chl_sample *s = &data->sample[i];
        if (s->label_id < 0)
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: sample %" PRId64 " has no \"label\", which the weak-pair loss "
                            "needs",
                            data->folder, i + 1);
        if (size_of(&pairs->label, s->label_id) > 1) continue;
        if (size_of(&pairs->kind, s->kind_id) < 2)
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: sample %" PRId64 " is the only one of the label \"%s\" and of its "
                            "kind, so it has no weak pair: add samples of that label, or set "
                            "weight_weak_pair to 0",
                            data->folder, i + 1, s->label);
        if (!alone++) first = s;
    }
    if (alone)
        chl_log(CHL_LOG_INFO,
                "weak pairs: %" PRId64 " samples are alone with their label (the first: \"%s\") "
                "and are paired with others of their kind",
                alone, first->label);
    return CHL_OK;
}

chl_status chl_weak_pairs_new(const chl_dataset *dataset, chl_weak_pairs **out) {
    *out = NULL;
    chl_weak_pairs *pairs = calloc(1, sizeof *pairs);
    if (!pairs) return chl_fail(CHL_ERR_MEMORY, "out of memory for weak pairs");
    pairs->data = dataset;
    chl_status status;
    CHL_TRY_GOTO(sort_into(dataset, false, &pairs->label));
    CHL_TRY_GOTO(sort_into(dataset, true, &pairs->kind));
    CHL_TRY_GOTO(check_partners(pairs));
    *out = pairs;
    return CHL_OK;
done:
    chl_weak_pairs_free(pairs);
    return status;
}

void chl_weak_pairs_free(chl_weak_pairs *pairs) {
    if (!pairs) return;
    free(pairs->label.first);
    free(pairs->label.member);
    free(pairs->kind.first);
    free(pairs->kind.member);
    free(pairs);
}

int64_t chl_weak_pairs_draw(const chl_weak_pairs *pairs, uint64_t seed, int64_t step, int64_t place,
                            int64_t sample) {
    const chl_sample *s = &pairs->data->sample[sample];
    const bool by_label = size_of(&pairs->label, s->label_id) > 1;
    const groups *g = by_label ? &pairs->label : &pairs->kind;
    const int k = by_label ? s->label_id : s->kind_id;
    const int64_t *member = g->member + g->first[k], others = size_of(g, k) - 1;
    uint32_t word = chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)place).word[0];
    int64_t pick = chl_random_below(word, others);
    /* drawn from all but the last; the last stands in for the sample itself */
    return member[pick] == sample ? member[others] : member[pick];
}
