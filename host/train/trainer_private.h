/* Shared by the trainer's files only: train.c, trainer.c, checkpoint.c, run_folder.c,
 * run_fingerprint.c. */
#ifndef CHL_TRAIN_TRAINER_PRIVATE_H
#define CHL_TRAIN_TRAINER_PRIVATE_H
#include "train/trainer.h"
#include <jansson.h>
#include <stdio.h>

#define CHL_CHECKPOINT "checkpoint.safetensors"
#define CHL_MODEL "model.safetensors"

typedef struct chl_loss_term {
    char *name;
    float weight;
    chl_tensor value;
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
    FILE *log, *stats;
} chl_run_folder;

struct chl_trainer_private {
    chl_loss_term term[CHL_TRAINER_TERMS];
    int terms;
    chl_rate_scale *rate;
    int rates;
    chl_tensor *tracked;
    int tracked_count;
    chl_tensor loss;
    chl_state *state; /* sorted by name */
    int64_t states;
    chl_run_folder folder;
    json_t *fingerprint; /* of this run: run_fingerprint.c */
};

/* --- run_folder.c ----------------------------------------------------------------------------- */
/* Creates and locks the folder (CHL_ERR_IO where another process has it) and opens its log. */
chl_status chl_run_folder_open(const char *path, chl_run_folder *out);
void chl_run_folder_close(chl_run_folder *folder);
bool chl_run_folder_has(const chl_run_folder *folder, const char *file);
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
chl_status chl_run_folder_json(const chl_run_folder *folder, const char *name, const json_t *value);

/* --- run_fingerprint.c ------------------------------------------------------------------------ */
/* CHL_ERR_ARGUMENT with the first option outside its range. */
chl_status chl_train_check(const chl_training *training, const chl_train_options *options);
/* All options, for options.json. */
json_t *chl_train_options_json(const chl_train_options *options);
/* What a run must have in common with a checkpoint to resume it: options, and files by their
 * content. */
chl_status chl_run_fingerprint(const chl_train_options *options, const chl_dataset *data,
                               json_t **out);
/* CHL_ERR_ARGUMENT with the first option that differs; `path` is of the checkpoint. */
chl_status chl_run_check_fingerprint(const char *path, const json_t *before, const json_t *now);
/* What may differ, but changes the last bits: version, threads, instruction set, processor; of
 * another device than the CPU its name and the precision of activations too. */
json_t *chl_train_machine(const chl_trainer *t);
uint64_t chl_digest(uint64_t digest, const void *data, size_t bytes);
#define CHL_DIGEST_START 0xcbf29ce484222325u

/* --- checkpoint.c ----------------------------------------------------------------------------- */
chl_status chl_checkpoint_write(chl_trainer *t, int64_t step);
/* Reads the folder's checkpoint into the graph; on failure nothing has changed. */
chl_status chl_checkpoint_read(chl_trainer *t, int64_t *step);

/* --- trainer.c -------------------------------------------------------------------------------- */
/* Appends the sum of the losses, gradients and updates, and compiles the graph. */
chl_status chl_trainer_compile(chl_trainer *t);
void chl_trainer_release(chl_trainer *t);
#endif
