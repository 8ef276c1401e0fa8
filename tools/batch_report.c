/* What a batch has come to: lines while it runs, its tables and its page at the end. */
#include "batch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE 10 /* seconds between lines of progress */
#define SHOWN_FAILURES 20

typedef struct tally {
    int done, failed, left, repeated;
} tally;

static tally count(const batch *b) {
    tally t = {0};
    for (int i = 0; i < b->count; i++) {
        const batch_job *job = &b->job[i];
        if (job->twin >= 0)
            t.repeated++;
        else
            *(job->status == BATCH_DONE     ? &t.done
              : job->status == BATCH_FAILED ? &t.failed
                                            : &t.left) += 1;
    }
    return t;
}

/* Of several devices the first worker speaks for all. */
static int done_here(const batch *b) {
    int done = 0;
    if (b->workers <= 1) return b->done_now;
    for (int i = 0; i < b->count; i++) done += b->job[i].status == BATCH_DONE && !b->job[i].before;
    return done;
}

static const char *here(const batch *b) {
    return b->workers > 1 ? "the workers of all devices" : "this worker";
}

void batch_progress(batch *b) {
    const double now = seconds_now();
    if (b->json || b->worker_index > 0 || now - b->last_line < (isatty(STDERR_FILENO) ? 1 : PAUSE))
        return;
    const tally t = count(b);
    const double rate = done_here(b) / (now - b->began);
    b->last_line = now;
    fprintf(stderr, "%d of %d edits are done, %d have failed; %.2f a second by %s", t.done,
            t.done + t.failed + t.left, t.failed, rate, here(b));
    if (t.left && rate > 0) fprintf(stderr, ", at most %.0f s left", t.left / rate);
    fputc('\n', stderr);
}

void batch_say_waiting(const batch *b) {
    if (!b->json && b->worker_index == 0)
        fprintf(stderr, "what is left (%d edits) is with other workers: waiting for them\n",
                count(b).left);
}

/* --- tables ----------------------------------------------------------------------------------- */
static const char *const words[] = {"left", "done", "failed"};
static const char *const columns[] = {"line",   "status",   "file",    "source", "target", "level",
                                      "cosine", "distance", "same_as", "reason", "id"};
#define COLUMNS (sizeof columns / sizeof columns[0])

static json_t *entry_of(const batch *b, const batch_job *job) {
    const batch_job *first = job->twin >= 0 ? &b->job[job->twin] : job;
    const one_edit *e = &job->e;
    json_t *entry = json_pack("{s:i, s:s, s:s}", "line", job->line, "status", words[first->status],
                              "id", job->id);
    char *seed = NULL, *target = NULL;
    if (e->seed && asprintf(&seed, "seed %s", e->seed) < 0) {
        seed = NULL;
        json_refuse();
    }
    if (e->ask.mix && asprintf(&target, "%s + %s", e->ask.text, e->sound) < 0) {
        target = NULL;
        json_refuse();
    }
    const char *source = e->seed ? seed : e->ask.image ? e->ask.image : e->ask.latent;
    const char *aim = e->ask.mix ? target : e->sound ? e->sound : e->ask.text;
    json_put(entry, "source", json_text(source));
    json_put(entry, "target", json_text(aim));
    free(seed);
    free(target);
    batch_name_inputs(b, job, entry);
    if (e->level != 0) json_put(entry, "level", json_real((double)e->level));
    if (first != job) json_put(entry, "same_as", json_integer(first->line));
    if (first->status == BATCH_FAILED)
        json_put(entry, "reason", json_text(first->reason ? first->reason : ""));
    if (first->status == BATCH_DONE) {
        char *file;
        if (asprintf(&file, "results/%s", first->file) < 0) {
            file = NULL;
            json_refuse();
        }
        json_put(entry, "file", json_text(file));
        free(file);
        json_put(entry, "cosine", json_real(first->cosine));
        json_put(entry, "distance", json_real(first->distance));
    }
    return entry;
}

static void print_cell(FILE *to, const json_t *value) {
    const char *text = json_string_value(value);
    if (json_is_integer(value)) fprintf(to, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value)) fprintf(to, "%.9g", json_real_value(value));
    if (!text) return;
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

static bool print_tables(const batch *b, FILE *lines, FILE *table) {
    bool whole = true;
    for (size_t c = 0; c < COLUMNS; c++) fprintf(table, "%s%s", c ? "," : "", columns[c]);
    fputc('\n', table);
    for (int i = 0; i < b->count && whole; i++) {
        json_t *entry = entry_of(b, &b->job[i]);
        char *text = json_dumped(entry, JSON_COMPACT | REPORT_DIGITS);
        whole = text != NULL;
        if (text) fprintf(lines, "%s\n", text);
        free(text);
        for (size_t c = 0; c < COLUMNS; c++) {
            if (c) fputc(',', table);
            print_cell(table, json_object_get(entry, columns[c]));
        }
        fputc('\n', table);
        json_decref(entry);
    }
    return whole;
}

static chl_status write_table(const batch *b, const char *name, const char *text) {
    char *path = batch_path(b, "", name);
    const chl_status status = path ? chl_file_write(path, text, strlen(text))
                                   : command_fail(CHL_ERR_MEMORY, "out of memory for %s", name);
    free(path);
    return status;
}

static chl_status write_tables(const batch *b) {
    char *text[2] = {NULL, NULL};
    size_t size[2];
    FILE *lines = open_memstream(&text[0], &size[0]), *table = open_memstream(&text[1], &size[1]);
    bool whole = lines && table && print_tables(b, lines, table);
    if (lines && !close_text(lines)) whole = false;
    if (table && !close_text(table)) whole = false;
    chl_status status =
        whole ? CHL_OK : command_fail(CHL_ERR_MEMORY, "out of memory for the results' table");
    if (status == CHL_OK) status = write_table(b, "results.jsonl", text[0]);
    if (status == CHL_OK) status = write_table(b, "results.csv", text[1]);
    free(text[0]);
    free(text[1]);
    return status;
}

/* --- the end ---------------------------------------------------------------------------------- */
static void print_failures(const batch *b, int failed) {
    int printed = 0;
    for (int i = 0; i < b->count && printed < SHOWN_FAILURES; i++) {
        const batch_job *job = &b->job[i];
        if (job->twin >= 0 || job->status != BATCH_FAILED) continue;
        fprintf(stderr, "failed: line %d: %s\n", job->line, shown(job->reason));
        printed++;
    }
    if (failed > printed)
        fprintf(stderr, "and %d more, in %s/results.jsonl\n", failed - printed, shown(b->out));
}

int batch_report(batch *b) {
    const tally t = count(b);
    if (write_tables(b) != CHL_OK || batch_page(b->out) != CHL_OK) return run_error();
    const int code = t.failed ? EXIT_SOME_FAILED : EXIT_OK;
    const double seconds = seconds_now() - b->began;
    if (b->worker_index > 0) return code;
    if (b->json) {
        const int printed = print_json(
            json_pack("{s:i, s:i, s:i, s:I, s:i, s:i, s:i, s:f, s:o}", "edits", b->count, "done",
                      t.done, "done_by_this_worker", done_here(b), "optimisations",
                      (json_int_t)b->optimisations, "failed", t.failed, "left", t.left, "repeated",
                      t.repeated, "seconds", seconds, "out", json_text(b->out)),
            REPORT_DIGITS);
        return printed == EXIT_OK ? code : printed;
    }
    fprintf(stderr, "%s: %d edits are done, %d of them by %s in %.1f s", shown(b->out), t.done,
            done_here(b), here(b), seconds);
    if (t.failed) fprintf(stderr, ", %d have failed", t.failed);
    if (t.left) fprintf(stderr, ", %d are left", t.left);
    fputc('\n', stderr);
    print_failures(b, t.failed);
    return code;
}
