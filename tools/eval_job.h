/* What the evaluations of `eval` share: settings, lists, progress, reports. */
#ifndef CHL_TOOLS_EVAL_JOB_H
#define CHL_TOOLS_EVAL_JOB_H
#include "command.h"

typedef struct words {
    char *text;        /* the separators have become ends */
    const char **item; /* [count], into text */
    int count;
} words;

#define EVAL_TRIAL_FLAGS 17

typedef struct eval_job {
    chl_engine_options models;
    chl_zero_shot_options zero;
    chl_trial_options trial;
    chl_edit_options edit;
    const char *labels, *prompts, *neutral, *with, *without, *out;
    int limit, space, similarity, neighbours;
    float latent_weight_relative;
    bool has_relative, has_louder, fixed_mask, by_label, masks, json, label_texts;
    bool has_prompt_sets, has_identity_weight;
    bool trial_given[EVAL_TRIAL_FLAGS]; /* flags of edits, in the order of TRIAL_OPTIONS */
    words label, prompt, with_list, without_list;
    const char *encoders, *clips; /* of `compare` */
    const char *html;
    const char *prompt_sets; /* of `report` */
    const char *supervised;  /* baselines, or models of `supervised` */
    int identity;
    const char **label_text; /* of --labels A=TEXT: what stands behind the "=" */
    chl_probe_options probe;
    chl_retrieval_options retrieval;
    chl_pictures_options pictures;
    chl_supervised_options tested;
    const char *folds, *confusion;
    int *fold; /* of --folds */
    bool esc10, of_trunk;
    float threshold, l2, truncation, code_noise;
    float neutral_embedding[CHL_MAX_EMBEDDING];
    double start, last; /* seconds, of the progress line */
    const char *what;   /* it is about */
    bool terminal;
} eval_job;

eval_job eval_job_new(void);
void eval_job_free(eval_job *job);
/* Fills the library's options from the flags. An exit code, with the error on stderr. */
int eval_read_settings(const command_line *line, eval_job *job);
/* Reads the flags and fills the library's options from them; generator NULL: the command has none.
 * *done: there was --help. An exit code, with the error on stderr. */
int eval_begin(command_line *line, int argc, char **argv, const generator_flags *generator,
               eval_job *job, bool *done);
/* Checks the files that are written before anything is computed. */
int eval_check_outputs(const command_line *line, const eval_job *job);
/* A flag of a part whose inputs are not there, or a count below 0, is an error: for commands that
 * measure what there are inputs for, which would leave it out without a word. */
int eval_check_parts(const command_line *line, const eval_job *job);
/* What edits need. */
int eval_check_trial(const command_line *line, const eval_job *job);
/* Embeds the directional loss's neutral text with an engine of its own: the evaluation may open
 * several engines later. */
chl_status eval_find_neutral(eval_job *job);

/* A callback of the library's: a line on stderr. `user` is the job. */
int eval_on_progress(void *user, const char *what, int64_t done, int64_t count);
/* The words between separators; false: out of memory. To be freed with eval_words_free. */
bool eval_split(const char *text, const char *separators, words *out);
void eval_words_free(words *list);
/* Writes the report as a page that a browser opens from disk. An exit code. */
int eval_write_page(const char *text, const char *path);
/* Writes a report, which it releases, as the flags say. An exit code. */
int eval_show(const eval_job *job, json_t *report, void (*print)(const json_t *));
/* --supervised: a list of figures and files, and what the files need. */
int eval_check_supervised(const command_line *line, const eval_job *job);
/* root["supervised"] = a row for each of them: measured, or as given. */
int eval_add_supervised(eval_job *job, json_t *root);
/* Writes the report `text`, which it releases, as the flags say, or prints the error. */
int eval_finish(eval_job *job, chl_status status, char *text, void (*print)(const json_t *));
#endif
