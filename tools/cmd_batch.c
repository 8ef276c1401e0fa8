/* `batch`: many edits, each exactly once. */
#include "batch.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- run -------------------------------------------------------------------------------------- */
/* A picture that was removed is made again. */
static void look_at_results(batch *b) {
    for (int i = 0; i < b->count; i++) {
        batch_job *job = &b->job[i];
        char *path = job->status == BATCH_DONE ? batch_result_path(b, job) : NULL;
        if (path && access(path, F_OK) != 0) {
            job->status = BATCH_OPEN;
            job->journaled = false;
        }
        free(path);
        job->before = job->status == BATCH_DONE;
        job->old_failures = job->failures;
        if (b->retry_failed && job->status == BATCH_FAILED) job->status = BATCH_OPEN;
    }
}

/* Claims the chunk and does what the journals, read again, leave of it. */
static int do_chunk(batch *b, int index, bool *progress) {
    const batch_chunk *chunk = &b->chunk[index];
    switch (batch_claim_take(b, index)) {
    case CLAIM_OTHERS:
        return EXIT_OK;
    case CLAIM_BROKEN:
        return run_error();
    default:
        break;
    }
    *progress = true;
    int code = batch_journal_refresh(b);
    if (code == EXIT_OK && !batch_chunk_finished(b, chunk)) {
        const chl_status status = batch_do_chunk(b, chunk);
        if (status == CHL_ERR_CANCELLED)
            code = interrupt_code() == EXIT_INTERRUPT ? EXIT_INTERRUPT : EXIT_AGAIN;
        else if (status != CHL_OK)
            code = run_error();
    }
    batch_claim_return(b);
    if (code == EXIT_OK) batch_progress(b);
    return code;
}

/* One look at all chunks. *left: there are unfinished ones. */
static int do_chunks(batch *b, bool *left, bool *progress) {
    int code = EXIT_OK;
    *left = *progress = false;
    for (int i = 0; i < b->chunks && code == EXIT_OK; i++) {
        if (!batch_chunk_is_mine(b, i) || batch_chunk_finished(b, &b->chunk[i])) continue;
        *left = true;
        if (interrupted()) return interrupt_code() == EXIT_INTERRUPT ? EXIT_INTERRUPT : EXIT_AGAIN;
        code = do_chunk(b, i, progress);
    }
    return code;
}

/* What is left may be in the hands of others: they finish it, or die and leave it to this one. */
static int work(batch *b) {
    static const struct timespec pause = {0, 200000000};
    bool left = true, told = false, progress;
    int code = EXIT_OK;
    while (left && code == EXIT_OK) {
        code = do_chunks(b, &left, &progress);
        if (code != EXIT_OK || !left) break;
        if (!progress && !told) batch_say_waiting(b);
        told = told || !progress;
        if (!progress) nanosleep(&pause, NULL);
        code = batch_journal_refresh(b);
    }
    return code;
}

/* Nobody needs them any more: who looks for a chunk reads the journals after its claim. */
static void remove_claims(const batch *b) {
    for (int i = 0; i < b->chunks; i++)
        if (!batch_chunk_finished(b, &b->chunk[i])) return;
    char *path = batch_path(b, "work", "claims");
    DIR *folder = path ? opendir(path) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder) closedir(folder);
    free(path);
}

static int run_in_folder(batch *b) {
    int code = batch_journal_open(b);
    if (code == EXIT_OK) code = batch_journal_refresh(b);
    if (code != EXIT_OK) return code;
    look_at_results(b);
    code = batch_check_space(b) == CHL_OK ? batch_claims_start(b) : run_error();
    if (code == EXIT_OK) code = work(b);
    if (code == EXIT_RUN || code == EXIT_USAGE) return code;
    const int refreshed = batch_journal_refresh(b);
    if (refreshed != EXIT_OK) return refreshed;
    if (code == EXIT_OK) remove_claims(b);
    const int reported = batch_report(b);
    return code == EXIT_OK || reported == EXIT_RUN ? reported : code;
}

static int run(batch *b, const command_line *line) {
    int code = batch_plan_jobs(b, line);
    b->began = b->last_line = seconds_now();
    if (code == EXIT_OK && b->dry_run) {
        if (b->size == 0) code = batch_choose_size(b, &b->size);
        if (code == EXIT_OK) code = batch_plan_chunks(b);
        return code == EXIT_OK ? batch_print_plan(b) : code;
    }
    if (code == EXIT_OK) code = batch_folder_open(b);
    if (code == EXIT_OK) batch_let_others_begin(b);
    if (code == EXIT_OK && b->worker_index == 0) batch_warn_of_twins(b);
    if (code == EXIT_OK) code = batch_plan_chunks(b);
    return code == EXIT_OK ? run_in_folder(b) : code;
}

/* --- command line ----------------------------------------------------------------------------- */
/* "2/8" */
static bool read_shard(batch *b) {
    char *end;
    const long index = strtol(b->shard, &end, 10);
    if (end == b->shard || *end != '/') return false;
    const char *rest = end + 1;
    const long count = strtol(rest, &end, 10);
    if (end == rest || *end || count < 1 || count > MAX_JOBS || index < 1 || index > count)
        return false;
    b->shard_index = (int)index - 1;
    b->shards = (int)count;
    return true;
}

static int check(const command_line *line, batch *b) {
    if (b->page && (b->jobs || b->out || batch_has_grid(&b->grid)))
        return usage_error(line, "--page stands alone: it makes the page of that folder anew");
    if (b->page) return EXIT_OK;
    if (!b->jobs == !batch_has_grid(&b->grid))
        return usage_error(line, b->jobs ? "give JOBS or a grid (--images, --seeds, --latents by "
                                           "--sounds, --texts), not both"
                                         : "give JOBS, or a grid: --images, --seeds, --latents by "
                                           "--sounds, --texts");
    if (!b->out && !b->dry_run) return usage_error(line, "--out is missing");
    if (b->size < 0) return usage_error(line, "--batch must be >= 1, got %d", b->size);
    if (b->stale < 1) return usage_error(line, "--stale must be >= 1, got %g", (double)b->stale);
    if (b->shard && !read_shard(b))
        return usage_error(line, "--shard must be like 1/4, from 1/4 to 4/4, got %s", b->shard);
    return batch_check_devices(b, line);
}

int command_batch(int argc, char **argv) {
    batch b = {.base = one_edit_defaults(), .stale = 60, .journal = -1, .ready = -1};
    bool has_size = false;
    const option options[] = {
        {"out", NULL, OPTION_TEXT, &b.out, "DIR", "folder of the results", NULL},
        {"images", NULL, OPTION_TEXT, &b.grid.images, "DIR", "grid: a folder of pictures to edit",
         NULL},
        {"seeds", NULL, OPTION_TEXT, &b.grid.seeds, "N-M", "grid: seeds of pictures to edit", NULL},
        {"latents", NULL, OPTION_TEXT, &b.grid.latents, "DIR", "grid: a folder of W+ codes to edit",
         NULL},
        {"sounds", NULL, OPTION_TEXT, &b.grid.sounds, "DIR", "grid: a folder of sounds", NULL},
        {"levels", NULL, OPTION_TEXT, &b.grid.levels, "DB,...",
         "grid: each sound at each of these gains in dB", NULL},
        {"texts", NULL, OPTION_INPUT, &b.grid.texts, "FILE", "grid: a file with a text a line",
         NULL},
        {"dry-run", NULL, OPTION_FLAG, &b.dry_run, NULL,
         "print how many edits there are, the memory and the time, without doing them", NULL},
        {"batch", NULL, OPTION_INT, &b.size, "N",
         "optimisations at once (default: up to 8, as memory allows)", &has_size},
        {"shard", NULL, OPTION_TEXT, &b.shard, "I/N",
         "do only the I-th of N parts (default: whatever no other worker does)", NULL},
        {"devices", NULL, OPTION_TEXT, &b.devices, "cuda:0,cuda:1,...",
         "a worker for each of these devices (instead of --device)", NULL},
        {"retry-failed", NULL, OPTION_FLAG, &b.retry_failed, NULL,
         "try edits again that failed before", NULL},
        {"stale", NULL, OPTION_FLOAT, &b.stale, "S",
         "take over what a worker on another machine has given no sign of life for, for S seconds "
         "(default 60)",
         NULL},
        {"ignore-space", NULL, OPTION_FLAG, &b.ignore_space, NULL,
         "begin though the disk may be too small for the results", NULL},
        {"cache", NULL, OPTION_TEXT, &b.cache, "DIR",
         "folder of inversions and embeddings, for several batches (default: DIR/work/cache)",
         NULL},
        {"page", NULL, OPTION_TEXT, &b.page, "DIR",
         "only make DIR/index.html anew of DIR/results.jsonl", NULL},
        {"json", NULL, OPTION_FLAG, &b.json, NULL, "print the summary as JSON on stdout", NULL},
        ONE_EDIT_OPTIONS(b.base),
    };
    command_line line = {
        .usage = "batch (JOBS.csv | JOBS.jsonl | --images DIR --sounds DIR ...) --out DIR "
                 "--generator F --clip F [--audio F] [--vocab F] ...",
        .about = "Does the edits of a table, a row each, or of every source by every target.\n"
                 "Columns of the table are flags of edit (image, seed, latent, sound, level, text, "
                 "mix, steps, ...)\nand name; flags here are what rows leave open. Paths in JOBS "
                 "count from its folder.\n"
                 "The same command, started again or several times at once, on any machine that "
                 "sees DIR, goes on\nwith what is left: each edit is done once (docs/batch.md).",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .positional = &b.jobs,
        .max_positionals = 1};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code == EXIT_OK && !done && has_size && b.size == 0)
        code = usage_error(&line, "--batch must be >= 1, got 0");
    if (code == EXIT_OK && !done) code = check(&line, &b);
    if (code == EXIT_OK && !done && b.page)
        return batch_page(b.page) == CHL_OK ? EXIT_OK : run_error();
    if (code == EXIT_OK && !done && batch_is_parent(&b))
        return batch_run_workers(&b, argc + 1, argv - 1);
    if (code == EXIT_OK && !done) code = batch_become_worker(&b);
    if (code == EXIT_OK && !done) {
        watch_interrupts();
        code = run(&b, &line);
    }
    batch_claims_end(&b);
    batch_journal_close(&b);
    batch_plan_free(&b);
    chl_cache_close(b.kept);
    chl_engine_close(b.engine);
    free(b.own_device);
    return code;
}
