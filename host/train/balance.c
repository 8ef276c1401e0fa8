#include "train/balance.h"
#include "base/random.h"
#include "train/groups.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE 0x42616c61u /* Philox key of these draws */

/* A cell holds what is drawn from last: the samples of a group, or of one of its sources. */
struct chl_balance {
    chl_groups groups; /* of cells */
    chl_groups cells;  /* of samples */
};

typedef struct places { /* groups x sources, in a row */
    int64_t count;
    int width;   /* of a group */
    int *number; /* [count]: of the cell at this place; -1: it has no samples */
    int *cell;   /* [samples] */
    int *group;  /* [cells] */
} places;

static int64_t place_of(const chl_sample *s, int width) {
    return (int64_t)s->group_id * width + (width > 1 ? s->source_id + 1 : 0);
}

/* Numbers the places that have samples, in order. */
static int number_cells(const chl_dataset *data, const places *p) {
    int cells = 0;
    for (int64_t i = 0; i < p->count; i++) p->number[i] = -1;
    for (int64_t i = 0; i < data->count; i++) p->number[place_of(&data->sample[i], p->width)] = 0;
    for (int64_t i = 0; i < p->count; i++)
        if (p->number[i] == 0) {
            p->number[i] = cells;
            p->group[cells++] = (int)(i / p->width);
        }
    for (int64_t i = 0; i < data->count; i++)
        p->cell[i] = p->number[place_of(&data->sample[i], p->width)];
    return cells;
}

static chl_status sort_cells(const chl_dataset *data, bool by_source, chl_balance *balance) {
    places p = {.width = by_source ? data->sources + 1 : 1};
    p.count = (int64_t)data->groups * p.width;
    p.number = malloc(sizeof *p.number * (size_t)(p.count + 1));
    p.cell = malloc(sizeof *p.cell * (size_t)(data->count + 1));
    p.group = malloc(sizeof *p.group * (size_t)(p.count + 1));
    chl_status status;
    if (!p.number || !p.cell || !p.group)
        CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for the balance of samples"));
    const int cells = number_cells(data, &p);
    CHL_TRY_GOTO(chl_groups_sort(data->count, p.cell, cells, &balance->cells));
    CHL_TRY_GOTO(chl_groups_sort(cells, p.group, data->groups, &balance->groups));
done:
    free(p.number);
    free(p.cell);
    free(p.group);
    return status;
}

static chl_status check_groups(const chl_dataset *data, const char *name) {
    char place[CHL_PLACE];
    if (!chl_dataset_lacks_label(data, true, place)) return CHL_OK;
    return chl_fail(
        CHL_ERR_KEY,
        "%s: balance \"%s\" needs \"kind\" or \"label\" of every sample, and this one has "
        "neither",
        place, name);
}

chl_status chl_balance_new(const chl_dataset *dataset, const char *name, chl_balance **out) {
    *out = NULL;
    if (!name || strcmp(name, "none") == 0) return CHL_OK;
    const bool by_source = strcmp(name, "source") == 0;
    if (!by_source && strcmp(name, "label") != 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "balance must be \"none\", \"label\" or \"source\", got \"%s\"", name);
    CHL_TRY(check_groups(dataset, name));
    chl_balance *balance = calloc(1, sizeof *balance);
    if (!balance) return chl_fail(CHL_ERR_MEMORY, "out of memory for the balance of samples");
    CHL_HAND_OVER(sort_cells(dataset, by_source, balance), balance, out, chl_balance_free);
}

void chl_balance_free(chl_balance *balance) {
    if (!balance) return;
    chl_groups_free(&balance->groups);
    chl_groups_free(&balance->cells);
    free(balance);
}

static int64_t pick(const chl_groups *groups, int64_t group, uint32_t word) {
    const int64_t size = chl_groups_size(groups, (int)group);
    return chl_groups_of(groups, (int)group)[chl_random_below(word, size)];
}

int64_t chl_balance_pick(const chl_balance *balance, const chl_philox *random) {
    const int64_t group = chl_random_below(random->word[0], balance->groups.count);
    return pick(&balance->cells, pick(&balance->groups, group, random->word[1]), random->word[2]);
}

void chl_balance_draw(const chl_balance *balance, uint64_t seed, int64_t step, int batch,
                      int64_t *sample) {
    for (int place = 0; place < batch; place++) {
        const chl_philox random = chl_random(seed, PURPOSE, (uint64_t)step, (uint64_t)place);
        sample[place] = chl_balance_pick(balance, &random);
    }
}
