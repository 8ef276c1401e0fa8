/* Micro-batches: rows of all samples, computed chunk by chunk (trainer.h).
 *
 *     chunk 0: rows                                chunk 0 again: weights' gradients
 *     chunk 1: rows     losses, rows' gradients     chunk 1 again: + weights' gradients
 *     chunk 2: rows                                chunk 2 again: + weights' gradients
 *
 * All of it is one graph, whose memory is planned as a whole: a chunk's activations end before the
 * next chunk begins. Every draw belongs to the sample's place in the batch (chl_graph_first_sample),
 * so that a chunk that is computed again has the same rows. */
#include "train/trainer_private.h"
#include <stdlib.h>

chl_status chl_chunks_share(chl_trainer *t) {
    const int64_t chunk = t->options->micro_batch;
    t->chunk = t->batch;
    t->chunks = 1;
    if (chunk == 0) return CHL_OK;
    if (!chl_train_reads(t->training, "micro_batch"))
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "training %s: micro_batch must be 0, got %lld: this training computes its "
                        "batch at once",
                        t->training->name, (long long)chunk);
    if (t->batch % chunk != 0)
        return chl_fail(CHL_ERR_ARGUMENT,
                        "training %s: micro_batch must divide the batch of a rank, got %lld for "
                        "%d samples",
                        t->training->name, (long long)chunk, t->batch);
    t->chunk = (int)chunk;
    t->chunks = t->batch / t->chunk;
    return CHL_OK;
}

/* --- for a training's build and feed ---------------------------------------------------------- */
void chl_trainer_inputs(chl_trainer *t, const char *name, chl_desc desc, chl_tensor *input) {
    desc.dim[0] = t->chunk;
    for (int k = 0; k < t->chunks; k++) input[k] = chl_input(t->graph, name, desc);
}

chl_status chl_trainer_write_inputs(chl_trainer *t, const chl_tensor *input, const void *data) {
    for (int k = 0; k < t->chunks; k++) {
        CHL_TRY(chl_trainer_write(t, input[k], data));
        data = (const char *)data + chl_bytes(chl_desc_of(t->graph, input[k]));
    }
    return CHL_OK;
}

static chl_tensor encode(chl_trainer *t, const chl_chunked_rows *r, int chunk) {
    chl_graph_first_sample(t->graph, t->first + (int64_t)chunk * t->chunk);
    const chl_tensor rows = r->encode(t, &t->inside->net, r->which, chunk);
    chl_graph_first_sample(t->graph, t->first);
    return rows;
}

/* The rows of a chunk as one long row, and back. */
static chl_tensor flat(const chl_trainer *t, chl_tensor rows) {
    return chl_reshape(t->graph, rows, chl_f32(1, (int)chl_count(chl_desc_of(t->graph, rows))));
}

/* From the last chunk on, each in front of those behind it. */
static chl_tensor join(const chl_trainer *t, const chl_tensor *rows) {
    chl_graph *g = t->graph;
    const int width = (int)chl_count(chl_desc_of(g, rows[0]));
    chl_tensor all = chl_reshape(g, rows[t->chunks - 1], chl_f32(3, 1, 1, width));
    for (int k = t->chunks - 2; k >= 0; k--) all = chl_prepend_token(g, all, flat(t, rows[k]));
    return chl_reshape(g, all, chl_f32(2, t->batch, width / t->chunk));
}

chl_tensor chl_trainer_rows(chl_trainer *t, chl_encode_chunk *of_chunk, int which) {
    struct chl_trainer_private *p = t->inside;
    chl_chunked_rows r = {.encode = of_chunk, .which = which};
    if (t->chunks <= 1) return encode(t, &r, 0);
    if (p->chunked_count == CHL_TRAINER_ROWS)
        return chl_graph_fail(t->graph, CHL_ERR_UNSUPPORTED,
                              "training %s: with micro_batch it may have at most %d kinds of rows, "
                              "got %d",
                              t->training->name, CHL_TRAINER_ROWS, CHL_TRAINER_ROWS + 1);
    chl_tensor *rows = malloc((size_t)t->chunks * sizeof *rows);
    if (!rows)
        return chl_graph_fail(t->graph, CHL_ERR_MEMORY, "training %s: out of memory for rows",
                              t->training->name);
    for (int k = 0; k < t->chunks; k++) rows[k] = encode(t, &r, k);
    if (chl_graph_status(t->graph) == CHL_OK) r.rows = chl_stop_gradient(t->graph, join(t, rows));
    free(rows);
    if (chl_graph_status(t->graph) != CHL_OK) return CHL_NONE;
    p->chunked[p->chunked_count++] = r;
    return r.rows;
}

/* --- for trainer.c ---------------------------------------------------------------------------- */
int chl_chunks_wanted(const chl_trainer *t, int count, chl_tensor *wrt) {
    for (int i = 0; i < t->inside->chunked_count; i++) wrt[count++] = t->inside->chunked[i].rows;
    return count;
}

static chl_tensor rows_of_chunk(const chl_trainer *t, chl_tensor all, int chunk) {
    chl_graph *g = t->graph;
    const int numbers = (int)(chl_count(chl_desc_of(g, all)) / t->chunks);
    const chl_tensor rows =
        chl_select(g, chl_reshape(g, all, chl_f32(3, 1, t->chunks, numbers)), chunk);
    return chl_reshape(g, rows, chl_f32(2, t->chunk, numbers / t->chunk));
}

void chl_chunks_backward(chl_trainer *t, int count, const chl_tensor *wrt, chl_tensor *gradient) {
    const struct chl_trainer_private *p = t->inside;
    for (int i = 0; i < p->chunked_count; i++) {
        const chl_tensor all = gradient[count + i];
        for (int k = 0; k < t->chunks && all != CHL_NONE; k++) {
            const chl_tensor rows = encode(t, &p->chunked[i], k);
            if (chl_graph_status(t->graph) != CHL_OK) return;
            chl_grad_onward(t->graph, rows, rows_of_chunk(t, all, k), count, wrt, gradient);
        }
    }
}
