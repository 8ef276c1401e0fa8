#include "demo/judge.h"
#include "graph/build.h"
#include "io/weights.h"
#include "models/engine.h"
#include <chladni/demo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 16

/* --- the graph -------------------------------------------------------------------------------- */
struct chl_judge_reader {
    const chl_judge_config *config;
    chl_net net;
    chl_tensor x, logits[CHL_JUDGE_QUESTIONS];
    float *batch; /* [BATCH][side][side][3] */
};

static chl_status compile(chl_judge_reader *r) {
    const int side = r->config->side;
    chl_graph *g = r->net.graph;
    r->x = chl_input(g, "picture", chl_f32(4, BATCH, side, side, 3));
    chl_judge_net(&r->net, r->config, r->x, NULL, r->logits);
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) chl_keep(g, r->logits[q]);
    return chl_compile(g);
}

chl_status chl_judge_reader_new(chl_device *device, chl_params *params,
                                const chl_judge_config *config, chl_judge_reader **out) {
    *out = NULL;
    chl_judge_reader *r = calloc(1, sizeof *r);
    if (!r) return chl_fail(CHL_ERR_MEMORY, "out of memory for a judge");
    r->config = config;
    r->net = (chl_net){.params = params, .kind = CHL_FROZEN};
    const size_t values = BATCH * (size_t)config->side * (size_t)config->side * 3;
    r->batch = calloc(values, sizeof(float));
    chl_status status = r->batch ? chl_graph_new(device, &r->net.graph)
                                 : chl_fail(CHL_ERR_MEMORY, "out of memory for a judge's pictures");
    if (status == CHL_OK) status = compile(r);
    CHL_HAND_OVER(status, r, out, chl_judge_reader_free);
}

void chl_judge_reader_free(chl_judge_reader *reader) {
    if (!reader) return;
    chl_graph *graph = reader->net.graph;
    chl_net_done(&reader->net);
    chl_graph_free(graph);
    free(reader->batch);
    free(reader);
}

/* --- answers ---------------------------------------------------------------------------------- */
static void softmax(const float *logits, int classes, int *best, float *probability) {
    double total = 0;
    *best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[*best]) *best = c;
    for (int c = 0; c < classes; c++) total += exp((double)logits[c] - logits[*best]);
    for (int c = 0; c < classes; c++)
        probability[c] = (float)(exp((double)logits[c] - logits[*best]) / total);
}

/* Rows of the batch beyond `count` keep older pictures; their logits are not read. */
static chl_status read_batch(chl_judge_reader *r, int count, const float *pixels,
                             chl_judge_answer *answer) {
    const chl_judge_config *config = r->config;
    const int64_t values = (int64_t)config->side * config->side * 3;
    for (int64_t i = 0; i < count * values; i++) r->batch[i] = fmaxf(-1, fminf(1, pixels[i]));
    CHL_TRY(chl_write(r->net.graph, r->x, r->batch));
    CHL_TRY(chl_run(r->net.graph, CHL_FIRST_SEGMENT));
    for (int q = 0; q < CHL_JUDGE_QUESTIONS; q++) {
        float logits[BATCH * CHL_JUDGE_CLASSES];
        CHL_TRY(chl_read(r->net.graph, r->logits[q], logits));
        for (int i = 0; i < count; i++)
            softmax(logits + i * config->classes[q], config->classes[q], &answer[i].best[q],
                    answer[i].probability[q]);
    }
    return CHL_OK;
}

chl_status chl_judge_read(chl_judge_reader *reader, int64_t n, const float *pixels,
                          chl_judge_answer *answer) {
    const int64_t values = (int64_t)reader->config->side * reader->config->side * 3;
    memset(answer, 0, (size_t)n * sizeof *answer);
    for (int64_t at = 0; at < n; at += BATCH)
        CHL_TRY(read_batch(reader, (int)(n - at < BATCH ? n - at : BATCH), pixels + at * values,
                           answer + at));
    return CHL_OK;
}

/* --- chladni/judge.h -------------------------------------------------------------------------- */
typedef struct judge {
    chl_params *params;
    chl_judge_config config;
    chl_judge_reader *reader;
} judge;

static void judge_close(void *opened) {
    judge *j = opened;
    if (!j) return;
    chl_judge_reader_free(j->reader);
    chl_params_free(j->params);
    free(j);
}

static chl_status read_file(chl_engine *engine, const char *weights, judge *j) {
    CHL_TRY(chl_weights_read(weights, &j->params));
    CHL_TRY(chl_judge_import(j->params, &j->config));
    CHL_TRY(chl_params_check_all_used(j->params));
    return chl_judge_reader_new(engine->place.device, j->params, &j->config, &j->reader);
}

static chl_status judge_open(chl_engine *engine, const char *weights, void **out,
                             chl_judge_sizes *sizes) {
    *out = NULL;
    judge *j = calloc(1, sizeof *j);
    if (!j) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", weights);
    const chl_status status = read_file(engine, weights, j);
    if (status != CHL_OK) {
        judge_close(j);
        return status;
    }
    *sizes =
        (chl_judge_sizes){j->config.side, j->config.classes[CHL_JUDGE_KIND], j->config.kind_name};
    *out = j;
    return CHL_OK;
}

static chl_status judge_classify(void *opened, int64_t n, const float *pixels, chl_judgement *out) {
    judge *j = opened;
    chl_judge_answer *answer = malloc((size_t)n * sizeof *answer + 1);
    if (!answer)
        return chl_fail(CHL_ERR_MEMORY, "out of memory to judge %lld pictures", (long long)n);
    const chl_status status = chl_judge_read(j->reader, n, pixels, answer);
    for (int64_t i = 0; i < n && status == CHL_OK; i++) {
        out[i] = (chl_judgement){.kind = answer[i].best[CHL_JUDGE_KIND]};
        memcpy(out[i].probability, answer[i].probability[CHL_JUDGE_KIND],
               sizeof answer[i].probability[CHL_JUDGE_KIND]);
        for (int q = CHL_JUDGE_KIND + 1; q < CHL_JUDGE_QUESTIONS; q++)
            out[i].attribute[q - 1] = answer[i].best[q];
    }
    free(answer);
    return status;
}

const chl_judge *chl_demo_judge(void) {
    static const char *const attributes[] = {"time", "season", "house"};
    static const chl_judge demo = {.size = sizeof demo,
                                   .attributes = sizeof attributes / sizeof attributes[0],
                                   .attribute = attributes,
                                   .open = judge_open,
                                   .classify = judge_classify,
                                   .close = judge_close};
    _Static_assert(CHL_JUDGE_CLASSES <= CHL_JUDGE_MAX_KINDS, "a judgement has all kinds");
    return &demo;
}
