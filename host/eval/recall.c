#include "eval/recall.h"
#include "base/free.h"
#include "eval/classified.h"
#include "eval/report.h"
#include <stdio.h>
#include <stdlib.h>

/* --- pairs ------------------------------------------------------------------------------------ */
static int by_query(const void *a, const void *b) {
    const chl_pair *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

int64_t chl_pairs_sort(int64_t count, chl_pair *pair) {
    int64_t kept = 0;
    if (count) qsort(pair, (size_t)count, sizeof *pair, by_query);
    for (int64_t i = 0; i < count; i++)
        if (i == 0 || by_query(&pair[i], &pair[kept - 1]) != 0) pair[kept++] = pair[i];
    return kept;
}

/* --- ranks ------------------------------------------------------------------------------------ */
typedef struct asked {
    int64_t count;
    int64_t *first, *partners; /* [count] pairs of the query that asks */
    int64_t *rank;             /* [count] */
    int *group, *hit;          /* [count] */
} asked;

static void asked_free(asked *a) {
    CHL_FREE(a->first, a->partners, a->rank, a->group, a->hit);
}

static chl_status list_queries(const chl_recall *t, asked *a) {
    const size_t room = (size_t)t->pairs + 1;
    a->first = malloc(sizeof *a->first * room);
    a->partners = malloc(sizeof *a->partners * room);
    a->rank = malloc(sizeof *a->rank * room);
    a->group = malloc(sizeof *a->group * room);
    a->hit = malloc(sizeof *a->hit * room);
    if (!a->first || !a->partners || !a->rank || !a->group || !a->hit)
        return chl_fail(CHL_ERR_MEMORY, "out of memory for %lld queries", (long long)t->pairs);
    for (int64_t begin = 0, end; begin < t->pairs; begin = end) {
        const int query = t->pair[begin].from;
        for (end = begin + 1; end < t->pairs && t->pair[end].from == query;) end++;
        for (int64_t i = begin; i < (t->each_pair ? end : begin + 1); i++) {
            a->first[a->count] = begin;
            a->partners[a->count] = end - begin;
            a->group[a->count++] = t->group ? t->group[query] : -1;
        }
    }
    return CHL_OK;
}

static double cosine(int width, const float *a, const float *b) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < width; k++) sum += (double)a[k] * (double)b[k];
    return sum;
}

static int64_t rank_of(const chl_recall *t, int64_t first, int64_t partners) {
    const float *query = t->query + (int64_t)t->pair[first].from * t->width;
    double best = -2;
    int64_t rank = 1;
    for (int64_t i = 0; i < partners; i++) {
        const double x =
            cosine(t->width, query, t->candidate + (int64_t)t->pair[first + i].to * t->width);
        if (x > best) best = x;
    }
    int64_t partner = first;
    for (int c = 0; c < t->candidates; c++) {
        if (partner < first + partners && t->pair[partner].to == c) {
            partner++;
            continue;
        }
        rank += !(cosine(t->width, query, t->candidate + (int64_t)c * t->width) < best);
    }
    return rank;
}

/* --- report ----------------------------------------------------------------------------------- */
/* The share of orders in which one of `partners` is among the first k of n. */
static double by_chance(int64_t n, int64_t partners, int k) {
    double none = 1;
    for (int i = 0; i < k && none > 0; i++)
        none *= i < n - partners ? (double)(n - partners - i) / (double)(n - i) : 0;
    return 1 - none;
}

static chl_status describe_share(const chl_recall *t, const asked *a, int k, json_t *report) {
    int64_t hits = 0;
    double low, high, chance = 0;
    char key[8];
    for (int64_t i = 0; i < a->count; i++) {
        hits += a->hit[i] = a->rank[i] <= k;
        chance += by_chance(t->candidates, a->partners[i], k) / (double)a->count;
    }
    CHL_TRY(chl_bootstrap_share(a->count, a->hit, a->group, &low, &high));
    snprintf(key, sizeof key, "r%d", k);
    chl_json_set(report, key,
                 json_pack("{s:o, s:[o, o], s:o}", "share", chl_report_share(hits, a->count),
                           "interval", chl_report_number(low), chl_report_number(high), "chance",
                           chl_report_number(chance)));
    return CHL_OK;
}

static int rising(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static chl_status describe(const chl_recall *t, asked *a, json_t **out) {
    static const int depth[] = {1, 5, 10};
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t i = 0; i < a->count; i++) a->rank[i] = rank_of(t, a->first[i], a->partners[i]);
    json_t *report =
        json_pack("{s:I, s:i}", "queries", (json_int_t)a->count, "candidates", t->candidates);
    chl_status status = CHL_OK;
    for (int i = 0; i < 3 && status == CHL_OK; i++) status = describe_share(t, a, depth[i], report);
    qsort(a->rank, (size_t)a->count, sizeof *a->rank, rising);
    const int64_t middle = a->rank[(a->count - 1) / 2] + a->rank[a->count / 2];
    chl_report_set(report, "median_rank", (double)middle / 2);
    CHL_HAND_OVER(status, report, out, json_decref);
}

chl_status chl_recall_report(const chl_recall *task, json_t **out) {
    asked a = {0};
    *out = NULL;
    if (task->pairs == 0) {
        *out = json_null();
        return CHL_OK;
    }
    chl_status status = list_queries(task, &a);
    if (status == CHL_OK) status = describe(task, &a, out);
    asked_free(&a);
    return status;
}
