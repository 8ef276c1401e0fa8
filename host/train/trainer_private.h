/* Shared by the trainer's files only: train.c, trainer.c, checkpoint.c, checkpoint_files.c,
 * run_folder.c, run_files.c, run_fingerprint.c, run_stats.c, steps.c, feeder.c, ranks.c,
 * chunks.c, phases.c. */
#ifndef CHL_TRAIN_TRAINER_PRIVATE_H
#define CHL_TRAIN_TRAINER_PRIVATE_H
#include "base/json.h"
#include "train/trainer.h"
#include <stdio.h>

#define CHL_CHECKPOINT "checkpoint.safetensors"
#define CHL_RUN "chladni.run" /* its text: checkpoint.c */
#define CHL_MODEL "model.safetensors"
#define CHL_OPTIONS "options.json"
#define CHL_STATS "stats.jsonl"
#define CHL_EVENTS "events.out.tfevents.chladni" /* TensorBoard looks for "tfevents" */
#define CHL_CURVES "losses.png"

typedef struct chl_loss_term {
    char *name;
    float weight;
    chl_tensor value; /* over the whole batch */
    chl_tensor part;  /* this rank's part of it, which is differentiated */
} chl_loss_term;

typedef struct chl_rate_scale {
    char *prefix;
    float scale;
} chl_rate_scale;

/* A trainable array of the graph. A checkpoint holds all of them. */
typedef struct chl_state {
    const char *name; /* the graph's */
    chl_tensor tensor, average;
} chl_state;

/* The run folder; all of its files are written through these functions. */
typedef struct chl_run_folder {
    const char *path;
    FILE *log, *stats, *events;
    char *new_log;  /* NULL: the log was there before */
    size_t new_end; /* folders whose path is path[0 ... new_end - 1] or shorter were there before */
} chl_run_folder;

/* A checkpoint that was read and not yet put into the graph. */
typedef struct chl_checkpoint {
    chl_params *params; /* NULL: none */
    json_t *run;        /* which run and step, and the other files of the folder */
} chl_checkpoint;

/* Rows that are computed chunk by chunk (chunks.c). */
typedef struct chl_chunked_rows {
    chl_encode_chunk *encode;
    int which;
    chl_tensor rows; /* of all chunks, where the gradient of the losses ends */
} chl_chunked_rows;

/* The weights of a network that some phases train (phases.c). */
typedef struct chl_phase_group {
    const chl_net *net;
    int count;
    chl_tensor *x,
        *gradient; /* [count]; the gradients are those of the phase that is being built */
    chl_moments *moments;
} chl_phase_group;

typedef struct chl_trained_phase {
    chl_phase settings;
    chl_segment segment;
    int group, terms_end; /* its terms are those from the last phase's end to this one */
    chl_tensor square;    /* of its gradients */
} chl_trained_phase;

struct chl_trainer_private {
    chl_train_options options; /* t->options: complete, epochs counted in steps */
    chl_net net;
    chl_chunked_rows chunked[CHL_TRAINER_ROWS];
    int chunked_count; /* 0 with one chunk */
    chl_trained_phase phase[CHL_TRAINER_PHASES];
    chl_phase_group group[CHL_TRAINER_PHASES];
    int phases, groups;       /* 0: a step is one update */
    chl_segment last_segment; /* what runs at the end of a step; without phases all of it */
    chl_loss_term term[CHL_TRAINER_TERMS];
    int terms;
    chl_rate_scale *rate;
    int rates;
    chl_tensor *tracked;
    int tracked_count;
    chl_tensor loss, loss_part; /* as a term's value and part */
    chl_tensor gradient_square; /* of all gradients together: gradient_norm.h */
    chl_tensor wish, wishes;    /* whether this rank wants to stop; of how many ranks do */
    chl_state *state;           /* sorted by name */
    int64_t states;
    chl_run_folder folder;
    bool accepted;             /* the run has begun: its folder stays */
    json_t *fingerprint;       /* of this run: run_fingerprint.c */
    chl_checkpoint from;       /* while a run that resumes is built */
    int64_t saved;             /* step of the folder's checkpoint.safetensors; 0: none is whole */
    json_t *texts;             /* {file: text} of the run folder: run_files.c */
    struct chl_feeder *feeder; /* while steps run */
    void **memory;             /* of chl_trainer_memory */
    int memories;
    bool memory_failed;
};

/* --- run_folder.c ----------------------------------------------------------------------------- */
/* Creates and locks the folder (CHL_ERR_IO where another process has it) and opens the log of this
 * rank: log.txt, log-1.txt, ... Rank 0 writes all other files. */
chl_status chl_run_folder_open(const char *path, int rank, chl_run_folder *out);
void chl_run_folder_close(chl_run_folder *folder);
/* Of a run that is refused: removes the log, and then the folders, that this process made; a folder with
 * other files stays. Other ranks remove theirs between the two calls. */
void chl_run_folder_remove_log(const chl_run_folder *folder);
void chl_run_folder_remove(const chl_run_folder *folder);
chl_status chl_run_folder_has(const chl_run_folder *folder, const char *file, bool *there);
/* Returns when the names of the folder's files, as renamed so far, are on the disk. */
chl_status chl_run_folder_sync(const chl_run_folder *folder);
/* "folder/file"; the caller frees it. */
chl_status chl_run_folder_file(const chl_run_folder *folder, const char *file, char **path);
/* A line for log.txt and for the process's log. */
void chl_run_folder_note(const chl_run_folder *folder, chl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Keeps the lines of stats.jsonl up to and including this step, removes the others, and opens it
 * for further lines. */
chl_status chl_run_folder_stats(chl_run_folder *folder, int64_t step);
/* Adds a line and releases it. */
chl_status chl_run_folder_add(const chl_run_folder *folder, json_t *line);
/* Returns when the lines so far are on the disk. */
chl_status chl_run_folder_flush(const chl_run_folder *folder);
/* CHL_ERR_IO if a line of log.txt was lost. */
chl_status chl_run_folder_check_log(const chl_run_folder *folder);
/* Replaces a file at once. */
chl_status chl_run_folder_text(const chl_run_folder *folder, const char *name, const char *text,
                               size_t size);

/* --- run_files.c ------------------------------------------------------------------------------ */
/* Writes the model of the current step. */
chl_status chl_run_files_model(chl_trainer *t);
chl_status chl_run_files_options(const chl_trainer *t);
/* Makes every file of the folder what the checkpoint says that it is, after the checkpoint of
 * `step` was put into the graph. */
chl_status chl_run_files_repair(chl_trainer *t, int64_t step);
/* "files" of a checkpoint: the texts, and the model's digest. */
chl_status chl_run_files_json(const chl_trainer *t, json_t **out);
/* CHL_ERR_FORMAT where a text differs from its digest. */
chl_status chl_run_files_check(const chl_params *params, const json_t *run);

/* --- run_fingerprint.c ------------------------------------------------------------------------ */
/* CHL_ERR_ARGUMENT with the first option outside its range. */
chl_status chl_train_check(const chl_training *training, const chl_train_options *options);
/* Does this training read the field? */
bool chl_train_reads(const chl_training *training, const char *field);
/* CHL_ERR_ARGUMENT with the first field that is neither zero nor as in `usual`, the training's
 * defaults, and that the training does not read. */
chl_status chl_train_check_read(const chl_training *training, const chl_train_options *usual,
                                const chl_train_options *options);
/* All options, for options.json. */
chl_status chl_train_options_json(const chl_train_options *options, json_t **out);
/* What a run must have in common with a checkpoint to resume it: options, and files by their
 * content. */
chl_status chl_run_fingerprint(const chl_train_options *options, const chl_dataset *data,
                               json_t **out);
/* CHL_ERR_ARGUMENT with the first option that differs, of those that the training reads; `path` is of
 * the checkpoint. */
chl_status chl_run_check_fingerprint(const chl_training *training, const char *path,
                                     const json_t *before, const json_t *now);
/* What may differ, but changes the last bits: version, threads, instruction set, processor; of
 * another device than the CPU its name and the precision of activations too. */
json_t *chl_train_machine(const chl_trainer *t);
uint64_t chl_digest(uint64_t digest, const void *data, size_t bytes);
chl_status chl_file_digest(const char *path, uint64_t *digest);
json_t *chl_digest_json(uint64_t digest);
#define CHL_DIGEST_START 0xcbf29ce484222325u

/* --- checkpoint.c ----------------------------------------------------------------------------- */
chl_status chl_checkpoint_write(chl_trainer *t, int64_t step);
/* Reads the folder's newest whole checkpoint into t->inside->from, for the build to look at. */
chl_status chl_checkpoint_read(chl_trainer *t);
/* CHL_ERR_ARGUMENT where it belongs to another run than t->inside->fingerprint. */
chl_status chl_checkpoint_check(const chl_trainer *t);
/* Puts it into the compiled graph and forgets it; on failure nothing has changed. */
chl_status chl_checkpoint_apply(chl_trainer *t, int64_t *step);
void chl_checkpoint_forget(chl_checkpoint *checkpoint);

/* --- checkpoint_files.c ----------------------------------------------------------------------- */
/* Steps of the older checkpoints, the newest first; the caller frees them. */
chl_status chl_checkpoint_list(const chl_run_folder *folder, int64_t **steps, int *count);
/* The file of an older checkpoint; step 0: the newest. The caller frees it. */
chl_status chl_checkpoint_path(const chl_run_folder *folder, int64_t step, char **path);
chl_status chl_checkpoint_there(const chl_run_folder *folder, bool *there);
/* Gives the newest checkpoint, of `step`, the name of an older one too, before it is replaced. */
chl_status chl_checkpoint_keep(const chl_run_folder *folder, int64_t step);
/* Keeps `keep` checkpoints, that of `step`, the newest, among them, and removes the others. */
chl_status chl_checkpoint_remove(const chl_run_folder *folder, int64_t step, int keep);

/* --- ranks.c ---------------------------------------------------------------------------------- */
/* Joins the ranks that the options name; *comm is NULL where there is one rank only. */
chl_status chl_ranks_join(const chl_train_options *options, chl_comm **comm);
/* *joined is the opened device `place->device` with the communicator, which becomes one of that
 * device's memory. */
chl_status chl_ranks_place(const chl_model_place *place, chl_comm **comm, chl_device *joined);
/* Called with the status of a run, which is returned: where that is CHL_OK or CHL_ERR_CANCELLED,
 * waits for all ranks, so that none ends before rank 0 has saved. */
chl_status chl_ranks_finish(chl_comm *comm, chl_status status);
/* This rank ends with `status` and its text: where it failed, the others end too, with this text.
 * Returns what the caller is told: CHL_ERR_RANK where another rank had failed before,
 * CHL_ERR_CANCELLED where one was told to stop while it waited. */
chl_status chl_ranks_tell(chl_comm *comm, chl_status status);
void chl_ranks_leave(chl_comm *comm);

/* Sets t->rank, ranks, batch and first. CHL_ERR_ARGUMENT for a batch that the ranks cannot share
 * equally, CHL_ERR_UNSUPPORTED for a training that cannot be shared. */
chl_status chl_ranks_share(chl_trainer *t);
/* Waits for all ranks. CHL_ERR_ARGUMENT where they have not the same options and data, or begin
 * at another step. */
chl_status chl_ranks_agree(chl_trainer *t, int64_t step);
/* Whether all ranks have the inputs of a step; this one has where `own` is CHL_OK. */
chl_status chl_ranks_ready(const chl_trainer *t, chl_status own, bool *all);
/* Where they have not, and rank 0 has saved: ends with what failed, on the others with that rank's
 * text. `own` is CHL_OK on a rank that has not failed. */
chl_status chl_ranks_end(const chl_trainer *t, chl_status own);
/* Called where a step is queued. Fails where the job has failed. */
chl_status chl_ranks_begin_step(const chl_trainer *t);
/* Called when a step is finished: fails where an exchange between GPUs was broken off, which leaves
 * wrong numbers. */
chl_status chl_ranks_check(const chl_trainer *t);

/* x / ranks, x being a mean over this rank's samples: the sum of these over the ranks is the mean
 * over the batch. x itself where there is one rank. */
chl_tensor chl_ranks_part(const chl_trainer *t, chl_tensor x);

/* --- chunks.c --------------------------------------------------------------------------------- */
/* Sets t->chunk and t->chunks. CHL_ERR_ARGUMENT for a micro_batch that does not divide this rank's
 * samples, CHL_ERR_UNSUPPORTED for a training that has no chunks. */
chl_status chl_chunks_share(chl_trainer *t);
/* Adds the rows whose gradient the losses have to `wrt`, behind the `count` that are there; returns
 * how many there are then. `wrt` has room for CHL_TRAINER_ROWS more. */
int chl_chunks_wanted(const chl_trainer *t, int count, chl_tensor *wrt);
/* From the gradients of those rows, which stand behind the `count` others, to the weights: computes
 * each chunk once more, for its backward pass, and adds to gradient[0 ... count - 1]. */
void chl_chunks_backward(chl_trainer *t, int count, const chl_tensor *wrt, chl_tensor *gradient);

/* --- phases.c --------------------------------------------------------------------------------- */
/* Appends the sum of the losses and of the gradients' squares. */
chl_status chl_phases_finish(chl_trainer *t);
/* Runs the phases that are due, then the end of the step. */
chl_status chl_phases_run(const chl_trainer *t, chl_step step);
/* Is this term computed at step `index`? */
bool chl_term_is_due(const chl_trainer *t, int term, int64_t index);
void chl_phases_release(struct chl_trainer_private *p);

/* --- steps.c ---------------------------------------------------------------------------------- */
/* Runs steps first + 1 to last, logs and saves. CHL_ERR_CANCELLED where the progress callback stops
 * it, with a checkpoint. */
chl_status chl_trainer_steps(chl_trainer *t, int64_t first, int64_t last);

/* --- trainer.c -------------------------------------------------------------------------------- */
/* Appends the sum of the losses, gradients and updates, and compiles the graph. */
chl_status chl_trainer_compile(chl_trainer *t);
void chl_trainer_release(chl_trainer *t);
#endif
