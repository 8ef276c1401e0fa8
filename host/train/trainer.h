/* The loop that all trainings share. A training (train_<model>.c, one file each) defines its data,
 * its forward pass and its losses; gradients, the optimiser, the schedule, averaged weights, checkpoints,
 * resuming and the log are here.
 *
 *     static chl_status build(chl_trainer *t) {
 *         ...
 *         CHL_TRY(chl_judge_random(&config, seed, &t->params));
 *         chl_net *net = chl_trainer_net(t);                  trainable weights
 *         chl_trainer_term(t, "pixels", 1, chl_mean(t->graph, ...));
 *         return CHL_OK;
 *     }
 *
 * A run is a folder: options.json, log.txt, stats.jsonl (a line a step),
 * events.out.tfevents.chladni (the same for TensorBoard), losses.png, checkpoint.safetensors (all
 * trainable tensors, moments, averages, the step), model.safetensors (what users load: the averaged
 * weights). Step `index` is a pure function of the tensors, the seed and the index: a killed run
 * that is resumed writes the same bits as one that was never stopped, on the same threads and
 * instruction set; the checkpoint records both. */
#ifndef CHL_TRAIN_TRAINER_H
#define CHL_TRAIN_TRAINER_H
#include "base/params.h"
#include "graph/build.h"
#include "models/model.h"
#include "train/dataset.h"
#include <chladni/train.h>

#define CHL_TRAINER_TERMS 12
#define CHL_TRAINER_PHASES 6
#define CHL_MAX_AHEAD 16
#define CHL_TRAINER_ROWS 4
#define CHL_DATA_MEMORY ((int64_t)4 << 30) /* 13 hours of sound, or 26 of mel pictures */

/* For chl_training.reads: what the optimiser of a training without phases reads. */
#define CHL_READS_OPTIMISER "decay average optimizer momentum "

typedef struct chl_trainer chl_trainer;

/* The defaults that a training decides for itself; 0 is the general one (train.c). */
typedef struct chl_training_usual {
    int64_t steps;
    int batch;
    float rate, beta2, decay, average;
} chl_training_usual;

/* One kind of training: audio, clip, generator, gan, classifier, and what chl_train_register adds. */
typedef struct chl_training {
    const char *name;
    unsigned need; /* CHL_NEED_*, of the dataset */
    /* The fields of chl_train_options that it reads beside those of every training
     * (run_fingerprint.c), divided by spaces. Another that is not at its default is refused. With
     * micro_batch `build` makes rows with chl_trainer_rows. NULL: none */
    const char *reads;
    chl_training_usual usual;
    /* Sets further defaults that differ from the general ones. May be NULL. */
    void (*defaults)(chl_train_options *options);
    /* Makes t->params, appends forward pass and losses to t->graph, keeps what it needs in t->own.
     */
    chl_status (*build)(chl_trainer *t);
    /* Writes every input of step `index` (from 0) with chl_trainer_write: a pure function of
     * (t->options->seed, index), drawn with chl_random(seed, purpose, index, element). It may run
     * in a thread of its own, ahead of the step, and uses nothing that changes after the build but
     * t->data and buffers that only it uses. */
    chl_status (*feed)(chl_trainer *t, int64_t index);
    /* Adds to `out` the model as users load it: chl_trainer_save, or more. */
    chl_status (*save)(chl_trainer *t, chl_params *out);
    /* What t->own refers to, beside memory of chl_trainer_memory; also after a build that failed
     * once it was set. NULL: nothing. */
    void (*release)(chl_trainer *t);
    /* Several ranks may share a batch: `build` and `feed` are of t->batch samples from place
     * t->first on, each term is a mean over them. */
    bool shared;
    /* Before the first step, `index` (from 0), of this process: the graph has its states. May be NULL. */
    chl_status (*start)(chl_trainer *t, int64_t index);
    /* After every step, in order, before inputs of the third step behind it are made; value[terms], of
     * chl_trainer_value. May be NULL. */
    void (*finished)(chl_trainer *t, int64_t index, const float *value);
    /* Called after every pictures_every-th step and the last one, on rank 0; `model` is what `save` makes.
     * May be NULL. */
    chl_status (*look)(chl_trainer *t, int64_t step, chl_params *model);
} chl_training;
/* Bytes of decoded data that are kept. */
static inline int64_t chl_trainer_data_memory(const chl_train_options *options) {
    return options->memory ? options->memory : CHL_DATA_MEMORY;
}
extern const chl_training chl_training_audio, chl_training_clip, chl_training_generator,
    chl_training_gan, chl_training_encoder, chl_training_classifier;
/* Lets chl_train_defaults and chl_train find one more training by its name. `training` must live as
 * long as the process. The same one again changes nothing; CHL_ERR_ARGUMENT where another has the
 * name. Not thread safe: call it before the process trains. */
chl_status chl_train_register(const chl_training *training);
/* chl_train_options_init and chl_train of a kind that need not be registered. */
chl_train_options chl_training_defaults(const chl_training *training);
chl_status chl_trainer_run(const chl_training *training, const chl_train_options *options);
/* The same on an opened device, which stays the caller's; the options' device and precision are not
 * looked at. */
chl_status chl_trainer_run_at(const chl_training *training, const chl_train_options *options,
                              const chl_model_place *place);

struct chl_trainer {
    const chl_training *training;
    const chl_train_options *options; /* chladni.h; defaults of the kind filled in */
    chl_device *device;
    chl_dtype precision; /* of activations; the graph's */
    int rank, ranks;     /* this rank's number; how many compute together, 1 or more */
    int batch;           /* this rank's samples in a step: options->batch / ranks */
    int64_t first;       /* the place of the first of them in the batch */
    int chunk, chunks;   /* a network computes `chunk` samples at a time: batch / chunks */
    chl_dataset *data;
    chl_graph *graph;
    chl_params *params; /* the weights that train; freed after the graph */
    void *own;
    /* private to trainer.c */
    struct chl_trainer_private *inside;
};

/* Memory of the trainer, zeroed, for t->own and the buffers of a batch; it is released after the
 * graph. NULL where there is none: chl_trainer_memory_status tells so of all calls at once. */
void *chl_trainer_memory(chl_trainer *t, int64_t count, size_t size);
chl_status chl_trainer_memory_status(const chl_trainer *t);
/* The net of t->params, whose floating-point arrays train, from options->start where that has them.
 * Call once, when t->params is made; it stays the trainer's. */
chl_net *chl_trainer_net(chl_trainer *t);
/* --- work before the steps that ranks share: ranks.c ------------------------------------------- */
/* Of `count` rows that all ranks need, those that this rank computes: how many, from *first on. */
int64_t chl_ranks_rows(const chl_trainer *t, int64_t count, int64_t *first);
/* rows [count,width], of which this rank has filled its own: those of the others are added. */
chl_status chl_ranks_gather(const chl_trainer *t, int64_t count, int64_t width, float *rows);

/* --- micro-batches: chunks.c ------------------------------------------------------------------
 * Losses that compare samples need the rows (embeddings) of all of them, but a network computes its
 * rows sample by sample. With options->micro_batch it does so for `chunk` samples at a time:
 *
 *     for each chunk       rows, forward only                        memory of one chunk's forward
 *     once                 losses of all rows, their gradients
 *     for each chunk       rows again, backward from their gradient  memory of one chunk's backward
 *
 * Weights' gradients are sums over the chunks, so that the step is that of the whole batch, up to
 * rounding, for another forward pass. Without micro_batch there is one chunk, computed once. */
/* Appends a network for the t->chunk samples of chunk `chunk`; returns their rows [t->chunk,D]. It
 * is called twice for each chunk, appends the same nodes both times, and makes no inputs; `which`
 * is what chl_trainer_rows was given. */
typedef chl_tensor chl_encode_chunk(chl_trainer *t, chl_net *net, int which, int chunk);
/* The rows of all t->batch samples, [t->batch,D]. At most CHL_TRAINER_ROWS times a training. */
chl_tensor chl_trainer_rows(chl_trainer *t, chl_encode_chunk *of_chunk, int which);
/* An input for each chunk, in input[t->chunks]: desc is one of t->batch samples. */
void chl_trainer_inputs(chl_trainer *t, const char *name, chl_desc desc, chl_tensor *input);
/* chl_trainer_write for all of them; data is of all t->batch samples. */
chl_status chl_trainer_write_inputs(chl_trainer *t, const chl_tensor *input, const void *data);

/* --- phases: phases.c --------------------------------------------------------------------------
 * A step may be several updates, one after another, of two networks that play against each other. The
 * build appends a phase's forward pass and terms and then calls chl_trainer_phase, which appends the
 * gradients and the update; and so for each phase. What it appends behind the last one runs at the end
 * of every step. Two networks have a net each: chl_trainer_net's, and one of the training's own.
 *
 * A phase that is not part of every step is lazy: it is one of steps 0, interval, 2 interval, ... Its
 * terms are logged for these steps only and are not part of the sum of the losses. Adam's moments belong
 * to the weights, and count the updates of all phases. */
typedef struct chl_phase {
    const chl_net *net; /* all of its weights so far are trained; NULL: the phase computes only */
    int interval;       /* >= 1 */
    float rate_scale, beta1, beta2;
} chl_phase;
void chl_trainer_phase(chl_trainer *t, const chl_phase *phase);
/* The weights that phases train of this net, x[count]; returns the count. */
int chl_phase_weights(const chl_trainer *t, const chl_net *net, const chl_tensor **x);
/* A number that is logged with the terms and is no part of the loss. */
void chl_trainer_watch(chl_trainer *t, const char *name, chl_tensor value);

/* That of the term, which there is, among all of a step's. */
float chl_trainer_value(const chl_trainer *t, const char *name, const float *value);

/* loss += weight * term, term [1]; logged by this name. With weight 0 the term is neither part of
 * the loss nor logged, and weights that only it depends on are not trained. */
void chl_trainer_term(chl_trainer *t, const char *name, float weight, chl_tensor term);
/* Weights whose name starts with `prefix` learn at rate * scale. Call while building. */
void chl_trainer_rate(chl_trainer *t, const char *prefix, float scale);
/* Sets an input of the step that is being fed; `data` may change when it returns. For feed only. */
chl_status chl_trainer_write(chl_trainer *t, chl_tensor input, const void *data);
/* A running average of a tensor that is no weight (batch statistics) across steps:
 * state = decay * state + (1 - decay) * x. `state` is a trainable tensor: it is saved, but not
 * optimised. */
void chl_trainer_track(chl_trainer *t, chl_tensor state, chl_tensor x, float decay);
/* Adds to `out` all arrays of `params`, trained ones with their averaged values (EMA). */
chl_status chl_trainer_export(chl_trainer *t, const chl_params *params, chl_params *out);
/* All of t->params: a training's `save` where they are the model. */
chl_status chl_trainer_save(chl_trainer *t, chl_params *out);
/* A text file of the run folder that the build depends on: as the checkpoint keeps it that the run
 * resumes from; or as it lies in the folder, where an older version wrote the checkpoint; else
 * `make` makes it, UTF-8. It is written to the folder, and every checkpoint keeps it. The caller
 * frees *text. */
typedef chl_status (*chl_make_text)(const chl_trainer *t, char **text, size_t *size);
chl_status chl_trainer_text(chl_trainer *t, const char *file, chl_make_text make, char **text,
                            size_t *size);
/* A line for the run's log. */
void chl_trainer_note(const chl_trainer *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The averaged or current value of one trained array, by name. */
chl_status chl_trainer_read(chl_trainer *t, const char *name, bool averaged, float *out);
#endif
