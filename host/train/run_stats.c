#include "train/run_stats.h"
#include "base/json.h"
#include "io/event_file.h"
#include "io/new_file.h"
#include "io/picture.h"
#include "plot/plot.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define TAG_ROOM CHL_EVENT_TAG

/* --- a line of stats.jsonl -------------------------------------------------------------------- */
static double wall_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Bytes of memory that this process has used at once. */
static json_int_t peak_memory(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (json_int_t)usage.ru_maxrss * 1024 : 0;
}

/* JSON has no infinity. */
static json_t *real(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* What no two runs share, under one key. */
static json_t *measured(const chl_trainer *t, const chl_step_stats *s) {
    const double seconds = s->seconds > 0 ? s->seconds : NAN;
    json_t *communication = s->communicated < 0 ? json_null() : real(s->communicated / seconds);
    return json_pack("{s:o,s:o,s:o,s:I,s:I}", "samples_per_second",
                     real(t->options->batch / seconds), "data_share", real(s->waited / seconds),
                     "communication_share", communication, "memory", peak_memory(), "unix_ms",
                     (json_int_t)(1e3 * wall_clock()));
}

static chl_status list_terms(const chl_trainer *t, const chl_step_stats *s, json_t *terms) {
    const struct chl_trainer_private *p = t->inside;
    for (int i = 0; i < p->terms; i++)
        if (chl_term_is_due(t, i, s->step - 1))
            CHL_TRY(chl_json_put(terms, p->term[i].name, json_real((double)s->term[i])));
    return CHL_OK;
}

static chl_status make_line(const chl_trainer *t, const chl_step_stats *s, json_t **line) {
    const uint64_t refused = chl_json_refused();
    json_t *terms = json_object();
    const chl_status status = list_terms(t, s, terms);
    if (status != CHL_OK) {
        json_decref(terms);
        return status;
    }
    *line = json_pack("{s:I,s:f,s:o,s:f,s:f,s:f,s:o,s:o}", "step", (json_int_t)s->step, "loss",
                      (double)s->loss, "terms", terms, "rate", (double)s->rate, "seconds",
                      s->seconds, "waited", s->waited, "gradient_norm",
                      real((double)s->gradient_norm), "measured", measured(t, s));
    if (*line && chl_json_refused() == refused) return CHL_OK;
    json_decref(*line);
    return chl_fail(CHL_ERR_MEMORY, "out of memory for a line of " CHL_STATS);
}

/* --- events: of a line ------------------------------------------------------------------------ */
typedef struct scalars {
    chl_event_scalar item[CHL_EVENT_SCALARS];
    int count;
} scalars;

/* Left out where the line has no such number. */
static void add_scalar(scalars *to, const char *tag, const json_t *value) {
    if (json_is_number(value) && to->count < CHL_EVENT_SCALARS)
        to->item[to->count++] = (chl_event_scalar){tag, json_number_value(value)};
}

/* `begin`, seconds since 1970: the time of a line that has none, as those of older versions. */
static chl_status add_event(FILE *to, double begin, const json_t *line) {
    static const struct {
        const char *key, *tag;
    } speeds[] = {{"samples_per_second", "speed/samples_per_second"},
                  {"data_share", "share_of_time/waiting_for_data"},
                  {"communication_share", "share_of_time/communication"},
                  {"memory", "memory/peak_bytes"}};
    char tags[CHL_TRAINER_TERMS][TAG_ROOM];
    const json_t *measured = json_object_get(line, "measured");
    const char *name;
    json_t *value;
    int terms = 0;
    scalars s = {.count = 0};
    add_scalar(&s, "loss/total", json_object_get(line, "loss"));
    json_object_foreach(json_object_get(line, "terms"), name, value) {
        if (terms == CHL_TRAINER_TERMS) break;
        snprintf(tags[terms], TAG_ROOM, "loss/%s", name);
        add_scalar(&s, tags[terms++], value);
    }
    add_scalar(&s, "rate", json_object_get(line, "rate"));
    add_scalar(&s, "gradient_norm", json_object_get(line, "gradient_norm"));
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        add_scalar(&s, speeds[i].tag, json_object_get(measured, speeds[i].key));
    const json_t *ms = json_object_get(measured, "unix_ms");
    const double time = json_is_number(ms) ? 1e-3 * json_number_value(ms) : begin;
    return chl_event_file_add(to, time, json_integer_value(json_object_get(line, "step")), s.count,
                              s.item);
}

/* --- stats.jsonl, line by line ---------------------------------------------------------------- */
typedef chl_status (*line_reader)(void *user, const json_t *line);

static chl_status read_lines(FILE *from, const char *path, line_reader read, void *user) {
    char *text = NULL;
    size_t size = 0;
    chl_status status = CHL_OK;
    errno = 0;
    while (status == CHL_OK) {
        const ssize_t length = getline(&text, &size, from);
        if (length < 0) break;
        json_t *line;
        status = chl_json_read(text, (size_t)length, 0, path, &line, NULL);
        if (status == CHL_OK && line) status = read(user, line);
        json_decref(line);
    }
    free(text);
    if (status == CHL_OK && !feof(from))
        status = chl_fail(CHL_ERR_IO, "%s: cannot be read to its end (%s)", path, strerror(errno));
    return status;
}

static chl_status read_stats(const chl_run_folder *folder, line_reader read, void *user) {
    char *path;
    CHL_TRY(chl_run_folder_file(folder, CHL_STATS, &path));
    FILE *from = fopen(path, "re");
    chl_status status = CHL_OK;
    if (!from && errno != ENOENT) /* without it there is no line */
        status = chl_fail(CHL_ERR_IO, "%s: cannot be read (%s)", path, strerror(errno));
    if (from) {
        status = read_lines(from, path, read, user);
        fclose(from);
    }
    free(path);
    return status;
}

/* --- the event file --------------------------------------------------------------------------- */
typedef struct event_copy {
    FILE *to;
    double begin;
} event_copy;

static chl_status copy_event(void *user, const json_t *line) {
    const event_copy *copy = user;
    return add_event(copy->to, copy->begin, line);
}

static chl_status make_events(const chl_run_folder *folder, const char *path) {
    chl_new_file file;
    CHL_TRY(chl_new_file_begin(path, &file));
    event_copy copy = {file.stream, wall_clock()};
    chl_event_file_begin(copy.to, copy.begin);
    const chl_status status = read_stats(folder, copy_event, &copy);
    if (status == CHL_OK) return chl_new_file_commit(&file);
    chl_new_file_abandon(&file);
    return status;
}

chl_status chl_run_stats_begin(chl_trainer *t, int64_t step) {
    chl_run_folder *folder = &t->inside->folder;
    char *path;
    CHL_TRY(chl_run_folder_stats(folder, step));
    CHL_TRY(chl_run_folder_file(folder, CHL_EVENTS, &path));
    chl_status status = make_events(folder, path);
    if (status == CHL_OK) {
        folder->events = fopen(path, "ae");
        if (!folder->events) status = chl_fail(CHL_ERR_IO, "%s: %s", path, strerror(errno));
    }
    free(path);
    return status;
}

chl_status chl_run_stats_add(const chl_trainer *t, const chl_step_stats *stats) {
    const chl_run_folder *folder = &t->inside->folder;
    json_t *line;
    CHL_TRY(make_line(t, stats, &line));
    chl_status status = add_event(folder->events, wall_clock(), line);
    if (status == CHL_OK && fflush(folder->events) != 0)
        status = chl_fail(CHL_ERR_IO, "cannot write %s/" CHL_EVENTS ": %s", folder->path,
                          strerror(errno));
    if (status == CHL_OK) return chl_run_folder_add(folder, line);
    json_decref(line);
    return status;
}

/* --- the picture ------------------------------------------------------------------------------ */
#define WIDTH 1000
#define HEIGHT 600
#define WIDE_RANGE 20 /* from this ratio of the largest loss to the smallest on: logarithmic */

typedef struct curves {
    int64_t count, room;
    int lines; /* the sum, then the terms by the first line's order */
    char *name[CHL_PLOT_LINES];
    double *x, *y[CHL_PLOT_LINES];
    double min, max;
} curves;

static chl_status make_room(curves *c) {
    if (c->count < c->room) return CHL_OK;
    const int64_t room = c->room ? 2 * c->room : 256;
    double **array[CHL_PLOT_LINES + 1] = {&c->x};
    for (int i = 0; i < CHL_PLOT_LINES; i++) array[i + 1] = &c->y[i];
    for (int i = 0; i <= c->lines; i++) {
        double *grown = realloc(*array[i], (size_t)room * sizeof *grown);
        if (!grown) return chl_fail(CHL_ERR_MEMORY, "out of memory for " CHL_CURVES);
        *array[i] = grown;
    }
    c->room = room;
    return CHL_OK;
}

static chl_status name_lines(curves *c, const json_t *terms) {
    const char *name;
    json_t *value;
    c->name[c->lines++] = strdup("total");
    json_object_foreach((json_t *)terms, name, value) if (c->lines < CHL_PLOT_LINES)
        c->name[c->lines++] = strdup(name);
    for (int i = 0; i < c->lines; i++)
        if (!c->name[i]) return chl_fail(CHL_ERR_MEMORY, "out of memory for " CHL_CURVES);
    return CHL_OK;
}

static chl_status add_point(void *user, const json_t *line) {
    curves *c = user;
    const json_t *terms = json_object_get(line, "terms");
    if (c->lines == 0) CHL_TRY(name_lines(c, terms));
    CHL_TRY(make_room(c));
    c->x[c->count] = json_number_value(json_object_get(line, "step"));
    for (int i = 0; i < c->lines; i++) {
        const json_t *value =
            i == 0 ? json_object_get(line, "loss") : json_object_get(terms, c->name[i]);
        const double y = json_is_number(value) ? json_number_value(value) : NAN;
        c->y[i][c->count] = y;
        c->min = fmin(c->min, y);
        c->max = fmax(c->max, y);
    }
    c->count++;
    return CHL_OK;
}

static chl_status draw(const chl_trainer *t, const curves *c, const char *path) {
    chl_plot_line line[CHL_PLOT_LINES];
    char title[128];
    /* one loss is its own sum */
    const int first = c->lines == 2;
    for (int i = first; i < c->lines; i++)
        line[i - first] = (chl_plot_line){c->name[i], c->x, c->y[i], c->count};
    snprintf(title, sizeof title, "training %s: %" PRId64 " of %" PRId64 " steps",
             t->training->name, (int64_t)c->x[c->count - 1], t->options->steps);
    const chl_plot plot = {.title = title,
                           .x_name = "step",
                           .y_name = "loss",
                           .log_y = c->min > 0 && c->max > WIDE_RANGE * c->min,
                           .lines = c->lines - first,
                           .line = line};
    return chl_plot_write(&plot, WIDTH, HEIGHT, path);
}

static void free_curves(curves *c) {
    for (int i = 0; i < CHL_PLOT_LINES; i++) {
        free(c->name[i]);
        free(c->y[i]);
    }
    free(c->x);
}

chl_status chl_run_stats_end(const chl_trainer *t) {
    const chl_run_folder *folder = &t->inside->folder;
    curves c = {.min = INFINITY, .max = -INFINITY};
    char *path = NULL;
    chl_status status;
    if (!chl_raster_can_write()) return CHL_OK;
    CHL_TRY_GOTO(read_stats(folder, add_point, &c));
    CHL_TRY_GOTO(chl_run_folder_file(folder, CHL_CURVES, &path));
    if (c.count > 0) CHL_TRY_GOTO(draw(t, &c, path));
done:
    free_curves(&c);
    free(path);
    return status;
}

chl_status chl_run_stats_repair(const chl_trainer *t) {
    char *path;
    CHL_TRY(chl_run_folder_file(&t->inside->folder, CHL_EVENTS, &path));
    const chl_status status = make_events(&t->inside->folder, path);
    free(path);
    return status == CHL_OK ? chl_run_stats_end(t) : status;
}
