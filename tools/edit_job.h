/* `edit`: what was asked for, and the arrays of the optimisations. Every source is edited towards
 * every target; a pair's number is source * targets + target. */
#ifndef CHL_TOOLS_EDIT_JOB_H
#define CHL_TOOLS_EDIT_JOB_H
#include "one_edit.h"

#define MAX_LEVELS 32

typedef struct edit_job {
    edit_settings ask;
    const char *keep_plot, *explain, *tuned_out, *inverted_out;
    json_t *explained; /* the report of --explain */
    const char *seeds, *out, *latent_out, *direction_out, *strip, *sheet, *levels;
    text_list sound;
    int every, batch, strip_steps;
    bool json, dry_run, embed_recipe;
    float gain; /* of the sounds in dB: --level */
    file_digests files;
    float level[MAX_LEVELS];
    int full_level; /* index of 0 dB; -1: none of them */

    chl_engine *engine;
    chl_engine_sizes size;
    int sources, targets, pairs;
    uint64_t *seed;                /* [sources], of --seed */
    float *source, *edited, *mask; /* [pairs] codes and layer masks */
    float *target;                 /* [pairs] embeddings */
    float *mixed;                  /* [sources] codes */
    float *trail;                  /* [strip_steps][pairs] codes on the way */
    chl_goal_result *goal;         /* [pairs], with --keep */
    int *reached;                  /* [pairs] step; 0: nothing yet */
    float neutral_embedding[CHL_MAX_EMBEDDING];
    float *region; /* [picture][picture], of --mask */
    progress_line line;
    int at;                 /* first pair of those being optimised */
    chl_edit_progress last; /* of them */
    double seconds;         /* of all optimisations */
    chl_status snapshot;    /* of --every */
    chl_status writing;     /* of the pictures of a batch */
    char *journal;          /* folder of finished batches (edit_journal.h), or NULL */
} edit_job;

/* Texts to numbers; usage errors name the flag. */
int edit_read_choices(const command_line *line, edit_job *job);

size_t edit_code_numbers(const edit_job *job);
static inline const float *edit_code(const edit_job *job, const float *codes, int index) {
    return codes + (size_t)index * edit_code_numbers(job);
}
/* A sheet of one sound has a column for every level, otherwise one for every sound. */
static inline bool edit_by_level(const edit_job *job) {
    return job->sheet && job->sound.count == 1 && !job->ask.text;
}
/* An output of `edit`: results of a source are its edits, or the mix of two, or of several levels
 * the full one. */
int edit_results(const edit_job *job);
/* NULL when it was not reached. */
const float *edit_result(const edit_job *job, int source, int result);

#define NAME_ROOM 256
/* "rain" of "sounds/rain.wav", "text", "source", "seed 7": for files and reports */
void edit_source_name(const edit_job *job, int source, char *name, size_t room);
void edit_target_name(const edit_job *job, int target, char *name, size_t room);
/* Usage error when two pictures would get the same name. */
int edit_check_names(const command_line *line, const edit_job *job);

/* Path of a result: --out, or for several a file in this folder. To be freed; NULL without memory.
 */
char *edit_result_path(const edit_job *job, int source, int result);
/* The same of --direction-out. */
char *edit_direction_path(const edit_job *job, int source, int result);
/* "t.npy" of "t.safetensors", beside it; likewise. */
char *edit_tuned_code_path(const edit_job *job);
/* Path of the picture that --every writes after `step`; likewise. */
char *edit_snapshot_path(const edit_job *job, int step);
/* Checks all outputs, and creates the folder of several; an exit code. */
int edit_check_outputs(const command_line *line, const edit_job *job);
#endif
