#include "eval/embed.h"
#include "edit/listen.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

chl_status chl_report_progress(const chl_progress_watch *watch, const char *what, int64_t done,
                               int64_t count) {
    if (!watch || !watch->progress || !watch->progress(watch->user, what, done, count))
        return CHL_OK;
    return chl_fail(CHL_ERR_CANCELLED, "%s: stopped after %lld of %lld", what, (long long)done,
                    (long long)count);
}

/* --- sounds ----------------------------------------------------------------------------------- */
#define BATCH 8

chl_status chl_eval_embed_sounds(chl_engine *engine, int64_t count, const char *const *path,
                                 const float *gain_db, const chl_progress_watch *watch,
                                 float *embedding) {
    CHL_TRY(chl_listen_check(engine, count, gain_db));
    const int64_t d = engine->audio_embedding, pixels = chl_listen_pixels(engine);
    float *pictures = calloc((size_t)(BATCH * pixels), sizeof(float));
    float *out = malloc(sizeof(float) * (size_t)(BATCH * d));
    chl_graph *g = NULL;
    chl_net net = {.params = NULL};
    chl_status status = CHL_OK;
    if (!pictures || !out) CHL_TRY_GOTO(chl_fail(CHL_ERR_MEMORY, "out of memory for mel pictures"));
    CHL_TRY_GOTO(chl_engine_graph(engine, &g));
    net = chl_engine_net(g, engine->audio);
    chl_tensor x;
    const chl_tensor y = chl_keep(g, chl_listen(engine, &net, BATCH, &x));
    CHL_TRY_GOTO(chl_compile(g));
    for (int64_t at = 0; at < count; at += BATCH) {
        const int64_t n = count - at < BATCH ? count - at : BATCH;
        for (int64_t i = 0; i < n; i++)
            CHL_TRY_GOTO(chl_listen_picture(engine, path[at + i], gain_db ? gain_db[at + i] : 0,
                                            pictures + i * pixels));
        CHL_TRY_GOTO(chl_write(g, x, pictures));
        CHL_TRY_GOTO(chl_run(g, CHL_FIRST_SEGMENT));
        CHL_TRY_GOTO(chl_read(g, y, out));
        memcpy(embedding + at * d, out, sizeof(float) * (size_t)(n * d));
        CHL_TRY_GOTO(chl_report_progress(watch, "listening", at + n, count));
    }
done:
    chl_net_done(&net);
    chl_graph_free(g);
    free(pictures);
    free(out);
    return status;
}

/* --- labels ----------------------------------------------------------------------------------- */
/* The prompt with the label in place of "{}". */
static chl_status fill_in(const char *prompt, const char *label, char *text, size_t size) {
    const char *hole = strstr(prompt, "{}");
    if (!hole) return chl_fail(CHL_ERR_ARGUMENT, "the prompt \"%s\" has no {}", prompt);
    if ((size_t)snprintf(text, size, "%.*s%s%s", (int)(hole - prompt), prompt, label, hole + 2) >=
        size)
        return chl_fail(CHL_ERR_ARGUMENT, "the label \"%.40s...\" is too long", label);
    return CHL_OK;
}

static chl_status normalise(const char *label, int d, const double *total, float *embedding) {
    double square = 0;
    for (int i = 0; i < d; i++) square += total[i] * total[i];
    if (!(square > 0)) /* NaN too */
        return chl_fail(CHL_ERR_NUMERIC, "the label \"%s\" has no embedding", label);
    for (int i = 0; i < d; i++) embedding[i] = (float)(total[i] / sqrt(square));
    return CHL_OK;
}

chl_status chl_eval_embed_labels(chl_engine *engine, int count, const char *const *label,
                                 int prompts, const char *const *prompt, float *embedding) {
    static const char *const usual[] = {CHL_EVAL_PROMPTS};
    if (prompts == 0) {
        prompt = usual;
        prompts = sizeof usual / sizeof *usual;
    }
    const int d = chl_engine_get_sizes(engine).embedding;
    for (int i = 0; i < count; i++) {
        double total[CHL_MAX_EMBEDDING] = {0};
        for (int p = 0; p < prompts; p++) {
            float one[CHL_MAX_EMBEDDING];
            char text[512];
            CHL_TRY(fill_in(prompt[p], label[i], text, sizeof text));
            CHL_TRY(chl_embed_text(engine, text, one));
            for (int k = 0; k < d; k++) total[k] += one[k];
        }
        CHL_TRY(normalise(label[i], d, total, embedding + (int64_t)i * d));
    }
    return CHL_OK;
}
