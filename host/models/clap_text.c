#include "models/clap_text.h"
#include "models/clap_names.h"
#include <stdlib.h>
#include <string.h>

/* The released code cuts texts to this many tokens. */
#define CONTEXT 77

bool chl_clap_text_is_in(const chl_params *params) {
    return chl_params_find(params, "text_branch.embeddings.word_embeddings.weight") ||
           chl_params_find(params, CHL_CLAP_HF_TEXT);
}

static chl_status open_tokenizer(chl_clap_text *text, const char *source, const char *vocab) {
    if (!vocab) return CHL_OK;
    CHL_TRY(chl_byte_tokenizer_open(vocab, &text->tokenizer));
    const int tokens = chl_byte_tokenizer_vocabulary(text->tokenizer);
    if (tokens == text->config.vocabulary) return CHL_OK;
    return chl_fail(CHL_ERR_SHAPE,
                    "vocab: %s has %d tokens, the text encoder of %s has %d: they do not belong "
                    "together",
                    vocab, tokens, source, text->config.vocabulary);
}

chl_status chl_clap_text_open(chl_params *params, const char *vocab, chl_clap_text **out) {
    chl_clap_text *text = *out = calloc(1, sizeof *text);
    if (!text) return chl_fail(CHL_ERR_MEMORY, "out of memory for CLAP's text encoder");
    chl_status status = chl_clap_to_released_names(params);
    if (status == CHL_OK) status = chl_roberta_import(params, &text->config);
    if (status == CHL_OK && text->config.positions < CONTEXT + CHL_ROBERTA_FIRST_POSITION)
        status = chl_fail(
            CHL_ERR_SHAPE, "%s: CLAP's text encoder has %d positions, expected at least %d",
            params->source, text->config.positions, CONTEXT + CHL_ROBERTA_FIRST_POSITION);
    if (status == CHL_OK) status = open_tokenizer(text, params->source, vocab);
    if (status == CHL_OK) return CHL_OK;
    chl_clap_text_close(text);
    *out = NULL;
    return status;
}

void chl_clap_text_close(chl_clap_text *text) {
    if (!text) return;
    chl_byte_tokenizer_free(text->tokenizer);
    free(text);
}

/* key->height: tokens of each text */
static void build(const void *owner, const chl_graph_key *key, chl_net *net, chl_compiled *to) {
    const chl_clap_text *text = owner;
    to->in[0] = chl_input(net->graph, "tokens", chl_i32(2, key->n, key->height));
    to->in[1] = chl_input(net->graph, "positions", chl_i32(2, key->n, key->height));
    to->out = chl_roberta_text(net, &text->config, to->in[0], to->in[1]);
}

typedef struct encoded {
    int64_t index; /* of the text */
    int tokens;
    int32_t id[CONTEXT];
} encoded;

/* Texts of a length follow each other: a graph is compiled once for each length. */
static int by_length(const void *a, const void *b) {
    const encoded *x = a, *y = b;
    if (x->tokens != y->tokens) return x->tokens < y->tokens ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* The first rows of `batch` rows; how many of them have equally many tokens. */
static int64_t gather(const encoded *from, int64_t left, int batch, int32_t *ids,
                      int32_t *positions) {
    const int tokens = from->tokens;
    int64_t rows = 0;
    for (; rows < left && rows < batch && from[rows].tokens == tokens; rows++)
        memcpy(ids + rows * tokens, from[rows].id, sizeof(int32_t) * (size_t)tokens);
    for (int64_t i = 0; i < (int64_t)batch * tokens; i++)
        positions[i] = CHL_ROBERTA_FIRST_POSITION + (int32_t)(i % tokens);
    return rows;
}

static chl_status embed_sorted(const chl_clap_text *text, chl_model *model, int use, int batch,
                               int64_t count, const encoded *sorted, int32_t *ids, float *out,
                               float *embeddings) {
    const size_t embed = (size_t)text->config.embed;
    for (int64_t at = 0, rows; at < count; at += rows) {
        const chl_graph_key key = {.use = use, .n = batch, .height = sorted[at].tokens};
        int32_t *positions = ids + (int64_t)batch * CONTEXT;
        rows = gather(sorted + at, count - at, batch, ids, positions);
        CHL_TRY(chl_model_run(model, &key, build, text,
                              (const void *const[CHL_GRAPH_INPUTS]){ids, positions}, out));
        for (int64_t i = 0; i < rows; i++)
            memcpy(embeddings + (size_t)sorted[at + i].index * embed, out + (size_t)i * embed,
                   sizeof(float) * embed);
    }
    return CHL_OK;
}

chl_status chl_clap_text_embed(const chl_clap_text *text, chl_model *model, int use, int batch,
                               int64_t count, const char *const *texts, float *embeddings) {
    encoded *all = calloc((size_t)count, sizeof *all);
    int32_t *ids = calloc((size_t)batch * 2 * CONTEXT, sizeof *ids); /* and positions */
    float *out = malloc(sizeof(float) * (size_t)batch * (size_t)text->config.embed);
    chl_status status =
        all && ids && out ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for texts");
    for (int64_t i = 0; i < count && status == CHL_OK; i++) {
        all[i].index = i;
        status = chl_byte_tokenizer_encode(text->tokenizer, texts[i], CONTEXT, all[i].id,
                                           &all[i].tokens);
    }
    if (status == CHL_OK) {
        qsort(all, (size_t)count, sizeof *all, by_length);
        status = embed_sorted(text, model, use, batch, count, all, ids, out, embeddings);
    }
    free(all);
    free(ids);
    free(out);
    return status;
}
