/* `batch`: a table of edits becomes a folder of results, each exactly once.
 *
 *   DIR/batch.json            what this folder is made from; another batch is refused
 *   DIR/results/NAME-ID.png   a finished edit, its recipe inside, NAME-ID.json beside it
 *   DIR/results.jsonl, .csv   a line for each row of JOBS, written when a worker ends
 *   DIR/index.html            all of them, to look at: sources by sounds, before and after
 *   DIR/page/                 what it shows beside results: pictures before the edit, mel pictures
 *   DIR/work/journal/         one append-only file for each worker: what is done and what failed
 *   DIR/work/claims/          which worker has which chunk
 *   DIR/work/cache/           inversions and embeddings by the digests of what they are made from
 *
 * Rows with equal options are a group; a group's rows, in order, are cut into chunks of at most
 * `size` optimisations, which a worker claims and runs at once. Chunks depend on JOBS and the size
 * alone. Where an edit's bits do not depend on the others (chl_edit_is_independent), what is left of
 * a chunk is computed and nothing else; elsewhere a chunk runs with its planned number whoever
 * computes it and whenever, since a result depends on that number. */
#ifndef CHL_TOOLS_BATCH_H
#define CHL_TOOLS_BATCH_H
#include "batch_rows.h"
#include "recipe.h"

typedef enum batch_status { BATCH_OPEN, BATCH_DONE, BATCH_FAILED } batch_status;

typedef struct batch_job {
    one_edit e;
    int line;        /* of JOBS */
    int group, twin; /* twin: an earlier job with the same id, or -1 */
    char id[DIGEST_ROOM];
    char *file;       /* "seed2-rain-0123456789abcdef.png" */
    json_t *digests;  /* {flag: SHA-256} of its files; NULL: one cannot be read */
    char *unreadable; /* why not */
    batch_status status;
    int failures;     /* lines in the journals that say so */
    int old_failures; /* of them before this run, with --retry-failed: they do not count */
    bool journaled;   /* a journal says that it is done */
    bool before;      /* done before this run began */
    char *reason;     /* of the last failure */
    double cosine, distance;
} batch_job;

typedef struct batch_chunk {
    int first, count; /* of `order` */
    int slots;        /* optimisations */
} batch_chunk;

typedef struct batch {
    /* what was asked for */
    const char *jobs, *out, *shard, *cache, *page, *devices;
    batch_grid grid;
    one_edit base; /* flags are defaults of the rows */
    int size;      /* optimisations at once; 0: by memory */
    float stale;   /* seconds without a sign of life after which a claim is void */
    bool dry_run, json, retry_failed, ignore_space;
    int shard_index, shards;
    /* of several devices: batch_workers.c */
    int workers, worker_index; /* workers: 0 without --devices */
    char *own_device;
    int ready; /* written to when the others may begin; -1: nobody waits */
    /* the plan: batch_plan.c */
    json_t *rows, *folder_part; /* texts that jobs point to */
    file_digests files;
    batch_job *job;
    int count, groups;
    int *order; /* jobs by group */
    batch_chunk *chunk;
    int chunks;
    /* the engine of the last group: batch_engine.c */
    chl_engine *engine;
    int engine_of;
    /* the folder: batch_folder.c, batch_journal.c, batch_claim.c */
    char worker[80]; /* its name */
    int journal;     /* descriptor */
    json_t *seen;    /* {journal's name: bytes read} */
    json_t *by_id;   /* {id: index of a job} */
    struct batch_claim *claim;
    chl_number_cache *kept; /* batch_cache.c */
    /* how it goes */
    int done_now;
    long optimisations; /* by this worker: more than its results need where places are filled */
    double began, last_line;
} batch;

/* --- batch_plan.c: exit codes; errors are printed --- */
int batch_plan_jobs(batch *b, const command_line *line);
/* Says which rows ask for the same edit. */
void batch_warn_of_twins(const batch *b);
/* Cuts the groups into chunks of `size`. */
int batch_plan_chunks(batch *b);
void batch_plan_free(batch *b);
static inline batch_job *batch_job_at(const batch *b, const batch_chunk *chunk, int i) {
    return &b->job[b->order[chunk->first + i]];
}
/* Whether nothing of it is left to do. */
bool batch_chunk_finished(const batch *b, const batch_chunk *chunk);
bool batch_chunk_is_mine(const batch *b, int chunk);

/* --- batch_paths.c: to be freed; NULL without memory --- */
char *batch_path(const batch *b, const char *folder, const char *name);
char *batch_result_path(const batch *b, const batch_job *job); /* its picture */

/* --- batch_folder.c --- */
/* Creates the folder, or finds that it belongs to this batch; settles `size`. */
int batch_folder_open(batch *b);

/* --- batch_journal.c --- */
int batch_journal_open(batch *b);
/* Reads what all workers have written since the last call. */
int batch_journal_refresh(batch *b);
/* Appends that the job is done or has failed, as its status says. */
chl_status batch_journal_write(batch *b, batch_job *job);
void batch_journal_close(batch *b);

/* --- batch_claim.c --- */
typedef enum claim_result { CLAIM_MINE, CLAIM_OTHERS, CLAIM_BROKEN } claim_result;
int batch_claims_start(batch *b); /* begins to give signs of life */
claim_result batch_claim_take(batch *b, int chunk);
/* Whether the chunk is still this worker's: false after it was suspended for longer than `stale`. */
bool batch_claim_holds(const batch *b);
/* Gives it back for anybody to take. */
void batch_claim_return(batch *b);
void batch_claims_end(batch *b);

/* --- batch_engine.c --- */
/* b->engine becomes one with the job's models. */
chl_status batch_open_engine(batch *b, const batch_job *job);

/* --- batch_size.c --- */
/* What runs at once, by memory, for the groups' first jobs. */
int batch_choose_size(batch *b, int *size);
int batch_print_plan(batch *b);

/* --- batch_space.c --- */
/* CHL_ERR_IO where what is left to do may not fit on the disk, unless that is to be ignored. */
chl_status batch_check_space(batch *b);

/* --- batch_workers.c: a worker for each of --devices --- */
int batch_check_devices(batch *b, const command_line *line);
/* Whether this process is to start the workers and nothing else. */
bool batch_is_parent(const batch *b);
/* Starts them, and waits. The code of the last that found nothing left to do; else of the first that
 * failed. */
int batch_run_workers(const batch *b, int argc, char **argv);
/* The device of this one becomes --device. */
int batch_become_worker(batch *b);
/* The folder is made and JOBS are right: said by the first. */
void batch_let_others_begin(const batch *b);

/* --- batch_work.c --- */
/* Does what is left of a chunk. CHL_ERR_CANCELLED: interrupted. */
chl_status batch_do_chunk(batch *b, const batch_chunk *chunk);

/* --- batch_cache.c --- */
/* [kind, version, {flag: digest or option}]: what something that is made for a job depends on, by
 * those of its `flags`; NULL ends them. */
json_t *batch_facts(const batch_job *job, const char *kind, const char *const *flags);
/* false: out of memory. */
bool batch_facts_digest(const json_t *facts, char digest[DIGEST_ROOM]);
typedef chl_status (*batch_maker)(void *user, float *numbers);
/* The numbers of what `facts` describe: read, or made and kept. Releases `facts`. */
chl_status batch_cached(const batch *b, json_t *facts, size_t count, batch_maker make, void *user,
                        float *numbers);

/* --- batch_shown.c --- */
/* Writes what the page shows beside the job's result, unless it is there: the picture of the source
 * code, and of a sound the mel picture. */
chl_status batch_show_inputs(batch *b, const batch_job *job, const float *source);
/* Their addresses, as seen from DIR, as "before", "mel" and "listen" (the sound) into the entry. */
void batch_name_inputs(const batch *b, const batch_job *job, json_t *entry);

/* --- batch_page.c --- */
/* Makes OUT/index.html of OUT/results.jsonl. */
chl_status batch_page(const char *out);

/* --- batch_report.c --- */
void batch_progress(batch *b);
/* That what is left is with other workers. */
void batch_say_waiting(const batch *b);
/* results.jsonl, results.csv and index.html, then the summary. */
int batch_report(batch *b);
#endif
