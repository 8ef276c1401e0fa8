/* The trainer's inside, shared by train.c, trainer.c, checkpoint.c, run_folder.c, identity.c. */
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

/* A trainable array of the graph: all of them together are what a checkpoint holds. */
typedef struct chl_state {
    const char *name; /* the graph's */
    chl_tensor tensor, average;
} chl_state;

/* The run folder; all writing to it goes through here. */
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
    json_t *identity; /* of this run: identity.c */
};

/* --- run_folder.c ----------------------------------------------------------------------------- */
/* Makes the folder, takes hold of it (a second process is refused) and opens its log. */
chl_status chl_run_folder_open(const char *path, chl_run_folder *out);
void chl_run_folder_close(chl_run_folder *folder);
bool chl_run_folder_has(const chl_run_folder *folder, const char *file);
/* "folder/file"; the caller frees it. */
chl_status chl_run_folder_file(const chl_run_folder *folder, const char *file, char **path);
/* A line for log.txt and for the process's log. */
void chl_run_folder_note(const chl_run_folder *folder, chl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* stats.jsonl up to and with this step is kept, the rest cut off; lines are added from here on. */
chl_status chl_run_folder_stats(chl_run_folder *folder, int64_t step);
/* Adds a line, and releases it. */
chl_status chl_run_folder_add(const chl_run_folder *folder, json_t *line);
chl_status chl_run_folder_json(const chl_run_folder *folder, const char *name, const json_t *value);

/* --- identity.c ------------------------------------------------------------------------------- */
chl_status chl_train_check(const chl_training *training, const chl_train_options *options);
/* All options, for options.json. */
json_t *chl_train_options_json(const chl_train_options *options);
/* What two runs must share for one to go on where the other stopped; files by their content. */
chl_status chl_train_identity(const chl_train_options *options, const chl_dataset *data,
                              json_t **out);
/* CHL_ERR_ARGUMENT naming the first option that differs. */
chl_status chl_train_same_identity(const char *path, const json_t *before, const json_t *now);
/* What may differ, but changes the last bits. */
json_t *chl_train_machine(void);
uint64_t chl_digest(uint64_t digest, const void *data, size_t bytes);
#define CHL_DIGEST_START 0xcbf29ce484222325u

/* --- checkpoint.c ----------------------------------------------------------------------------- */
chl_status chl_checkpoint_write(chl_trainer *t, int64_t step);
/* Reads the folder's checkpoint into the graph; on failure nothing has changed. */
chl_status chl_checkpoint_read(chl_trainer *t, int64_t *step);

/* --- trainer.c -------------------------------------------------------------------------------- */
/* Losses are summed, differentiated and minimised; the graph is compiled. */
chl_status chl_trainer_compile(chl_trainer *t);
void chl_trainer_release(chl_trainer *t);
#endif
