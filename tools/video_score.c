#include "video_score.h"
#include "batch_rows.h"
#include "print.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EASE 0.5 /* seconds in which motion comes and goes */
#define MOST_WARNINGS 8
#define USUAL_WEIGHT 0.5 /* of a text beside the sound, as that of `edit --mix linear` */
#define ROWS_FORM "expected rows like coarse, \"0-3,6\" or none, got %s"

/* --- rows ------------------------------------------------------------------------------------- */
/* Groups of a StyleGAN's rows by the side of the picture that they shape [Karras et al. 2019]: to 8,
 * to 32, beyond. */
static const struct {
    const char *name;
    int first, last;
} groups[] = {{"coarse", 0, 3}, {"middle", 4, 7}, {"fine", 8, SCORE_MOST_ROWS - 1}};

static uint64_t rows_between(int first, int last) {
    uint64_t rows = 0;
    for (int row = first; row <= last; row++) rows |= UINT64_C(1) << row;
    return rows;
}

static void need_row(score_part *part, int row) {
    if (row > part->last_row) part->last_row = row;
}

/* "4" or "4-6"; false: neither. */
static bool take_numbers(score_part *part, const char *word) {
    char *end;
    if (!isdigit((unsigned char)word[0])) return false;
    const long first = strtol(word, &end, 10);
    long last = first;
    if (*end == '-' && isdigit((unsigned char)end[1])) last = strtol(end + 1, &end, 10);
    if (*end || last < first || last >= SCORE_MOST_ROWS) return false;
    part->rows |= rows_between((int)first, (int)last);
    need_row(part, (int)last);
    return true;
}

static bool take_word(score_part *part, const char *word) {
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strcmp(word, groups[i].name) == 0) {
            part->rows |= rows_between(groups[i].first, groups[i].last);
            need_row(part, groups[i].first);
            return true;
        }
    return take_numbers(part, word);
}

static bool read_rows(score_part *part) {
    const char *text = part->rows_text;
    char word[32];
    part->rows = 0;
    if (strcmp(text, "none") == 0) return true;
    for (int words = 0;; words++) {
        text += strspn(text, ", ");
        const size_t length = strcspn(text, ", ");
        if (length == 0) return words > 0;
        if (length >= sizeof word) return false;
        memcpy(word, text, length);
        word[length] = 0;
        if (!take_word(part, word)) return false;
        text += length;
    }
}

/* --- a part ----------------------------------------------------------------------------------- */
static bool read_number(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value);
}

static int check_names(const char *path, int line, const json_t *cells) {
    static const char *const known[] = {"seconds", "text", "weight", "rows"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)cells, name, value) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            found = found || strcmp(name, known[i]) == 0;
        if (!found)
            return batch_row_error(
                path, line, "unknown column \"%s\", expected seconds, text, weight, rows", name);
    }
    return EXIT_OK;
}

static const char *cell(const json_t *cells, const char *name) {
    return json_string_value(json_object_get(cells, name));
}

static int read_part(const char *path, const json_t *row, score_part *part) {
    const json_t *cells = json_object_get(row, "cells");
    const int line = (int)json_integer_value(json_object_get(row, "line"));
    const char *seconds = cell(cells, "seconds"), *weight = cell(cells, "weight");
    *part = (score_part){.line = line,
                         .text = cell(cells, "text"),
                         .rows_text = cell(cells, "rows"),
                         .weight = USUAL_WEIGHT,
                         .rows = SCORE_ALL_ROWS,
                         .last_row = -1};
    const int code = check_names(path, line, cells);
    if (code != EXIT_OK) return code;
    if (!seconds || !read_number(seconds, &part->seconds) || part->seconds < 0)
        return batch_row_error(path, line, "column seconds: expected a number >= 0, got %s",
                               seconds ? seconds : "nothing");
    if (weight && !part->text)
        return batch_row_error(
            path, line, "column weight: expected nothing where there is no text, got %s", weight);
    if (weight && !(read_number(weight, &part->weight) && part->weight >= 0 && part->weight <= 1))
        return batch_row_error(path, line, "column weight: expected a number in [0, 1], got %s",
                               weight);
    if (part->rows_text && !read_rows(part))
        return batch_row_error(path, line, "column rows: " ROWS_FORM, part->rows_text);
    return EXIT_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */
static void number_text(video_score *score, score_part *part) {
    part->number = -1;
    if (!part->text) return;
    for (const score_part *p = score->part; p < part; p++)
        if (p->text && strcmp(p->text, part->text) == 0) part->number = p->number;
    if (part->number >= 0) return;
    part->number = score->texts;
    score->text[score->texts++] = part->text;
}

static int read_parts(video_score *score) {
    int code = EXIT_OK;
    for (size_t i = 0; i < json_array_size(score->table) && code == EXIT_OK; i++) {
        score_part *part = &score->part[score->parts];
        code = read_part(score->path, json_array_get(score->table, i), part);
        if (code == EXIT_OK && i > 0 && part->seconds <= part[-1].seconds)
            code = batch_row_error(score->path, part->line,
                                   "column seconds: expected more than %g, where the part before "
                                   "begins, got %g",
                                   part[-1].seconds, part->seconds);
        if (code == EXIT_OK) number_text(score, part);
        score->parts += code == EXIT_OK;
    }
    return code;
}

int score_read(const char *path, video_score *score) {
    *score = (video_score){.path = path};
    const int code = path ? batch_rows_read(path, &score->table) : EXIT_OK;
    if (code != EXIT_OK) return code;
    const size_t rows = json_array_size(score->table);
    score->part = calloc(rows + 1, sizeof *score->part);
    score->text = calloc(rows + 1, sizeof *score->text);
    if (score->part && score->text) return read_parts(score);
    (void)command_fail(CHL_ERR_MEMORY, "out of memory for %s", path ? path : "a score");
    return run_error();
}

void score_free(video_score *score) {
    free(score->part);
    free(score->text);
    json_decref(score->table);
}

chl_status score_check(const video_score *score, int rows, double length) {
    if (rows > SCORE_MOST_ROWS)
        return command_fail(CHL_ERR_UNSUPPORTED, "expected a generator of at most %d rows, got %d",
                            SCORE_MOST_ROWS, rows);
    for (int i = 0; i < score->parts; i++) {
        const score_part *part = &score->part[i];
        if (part->seconds >= length)
            return command_fail(CHL_ERR_ARGUMENT,
                                "%s, line %d: column seconds: expected less than the %g s of the "
                                "sound, got %g",
                                score->path, part->line, length, part->seconds);
        if (part->last_row >= rows)
            return command_fail(CHL_ERR_ARGUMENT,
                                "%s, line %d: column rows: expected rows from 0 to %d, as the "
                                "generator has them, got %s (row %d)",
                                score->path, part->line, rows - 1, part->rows_text, part->last_row);
    }
    return CHL_OK;
}

/* --- times ------------------------------------------------------------------------------------ */
const score_part *score_at(const video_score *score, double seconds) {
    static const score_part before = {.number = -1, .rows = SCORE_ALL_ROWS, .last_row = -1};
    const score_part *found = &before;
    for (int i = 0; i < score->parts && score->part[i].seconds <= seconds; i++)
        found = &score->part[i];
    return found;
}

bool score_says(const video_score *score, int text, int keys, const double *time) {
    for (int k = 0; k < keys; k++)
        if (score_at(score, time[k])->number == text) return true;
    return false;
}

static bool holds_a_key(const video_score *score, const score_part *part, int keys,
                        const double *time) {
    for (int k = 0; k < keys; k++)
        if (score_at(score, time[k]) == part) return true;
    return false;
}

void score_warn(const video_score *score, int keys, const double *time) {
    int silent = 0;
    for (int i = 0; i < score->parts; i++) {
        const score_part *part = &score->part[i];
        if (!part->text || holds_a_key(score, part, keys, time)) continue;
        if (silent++ < MOST_WARNINGS)
            fprintf(stderr,
                    "chladni: %s, line %d: the text \"%s\" does nothing, as no key lies in its "
                    "part: set a smaller --every, or a longer part\n",
                    shown(score->path), part->line, shown(part->text));
    }
    if (silent > MOST_WARNINGS)
        fprintf(stderr, "chladni: %s: so it is with %d further lines\n", shown(score->path),
                silent - MOST_WARNINGS);
}

uint64_t score_moves(const video_score *score, double from, double to) {
    uint64_t rows = score_at(score, from)->rows;
    for (int i = 0; i < score->parts; i++)
        if (score->part[i].seconds > from && score->part[i].seconds < to)
            rows &= score->part[i].rows;
    return rows;
}

double score_motion(const video_score *score, double seconds, int row) {
    const uint64_t bit = UINT64_C(1) << row;
    double share = score_at(score, seconds)->rows & bit ? 1 : 0;
    for (int i = 0; i < score->parts; i++) {
        const double begin = score->part[i].seconds;
        const double end = i + 1 < score->parts ? score->part[i + 1].seconds : INFINITY;
        if (score->part[i].rows & bit) continue;
        share = fmin(share, fmax(fmax(begin - seconds, seconds - end), 0) / EASE);
    }
    return share;
}

json_t *score_report(const video_score *score) {
    json_t *parts = json_array();
    for (int i = 0; i < score->parts; i++) {
        const score_part *part = &score->part[i];
        json_add(parts, json_pack("{s:f, s:o, s:o, s:o}", "seconds", part->seconds, "text",
                                  part->text ? json_text(part->text) : json_null(), "weight",
                                  part->text ? json_real(part->weight) : json_null(), "rows",
                                  part->rows_text ? json_text(part->rows_text) : json_null()));
    }
    return parts;
}
