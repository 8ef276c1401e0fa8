/* The subcommands, one file each, and what they share. */
#ifndef CHL_TOOLS_COMMAND_H
#define CHL_TOOLS_COMMAND_H
#include "interrupts.h"
#include "model_options.h"
#include "options.h"
#include "print.h"
#include <chladni.h>
#include <jansson.h>

int command_align(int argc, char **argv);
int command_data(int argc, char **argv);
int command_edit(int argc, char **argv);
int command_direction(int argc, char **argv);
int command_video(int argc, char **argv);
int command_batch(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_generate(int argc, char **argv);
int command_embed(int argc, char **argv);
int command_listen(int argc, char **argv);
int command_mel(int argc, char **argv);
int command_train(int argc, char **argv);
int command_weights(int argc, char **argv);
int command_world(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_info(int argc, char **argv);
int command_bench(int argc, char **argv);

/* --- errors: error.c -------------------------------------------------------------------------- */
/* Prints "chladni: " and the text of the failed call on stderr, with flags where the library names
 * fields; returns EXIT_RUN. */
int run_error(void);
/* The same with `before` in front of the text, e.g. "edits 1-4: ". */
void say_error(const char *before);
/* That text instead of printing it, to be freed; NULL without memory. */
char *take_error(void);
/* A text of the library, with flags in place of the fields that it names. */
void print_with_flags(FILE *to, const char *text);
/* A command that calls a field's flag otherwise than the others says so: print_with_flags. */
void use_flag(const char *field, const char *flag);
/* Stores the text of a failure of the program's own, which the next run_error prints instead of
 * chl_error(); returns `code`. */
chl_status command_fail(chl_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* clang-tidy sees one file at a time: it is told here that a failure is not CHL_OK. */
#define command_fail(code, ...) ((command_fail)((code), __VA_ARGS__), (code))
#endif

/* Seconds of the monotonic clock, for durations. */
double seconds_now(void);

/* --- latents.c -------------------------------------------------------------------------------- */
/* The W+ codes of a file, to be freed: at most `most` of them, [*count][rows][latent]. The text of an
 * error names the file, what was expected and what came. */
chl_status read_latents(const char *path, const chl_engine_sizes *size, int most, int *count,
                        float **codes);

#define MAX_PICTURES 100000
#define MAX_SEED UINT32_MAX /* of a picture: numpy's RandomState takes no larger one */
/* "0-9", "3", "1,5,8-10" -> *seed [count], to be freed; the count, or -1 when it is not of that
 * form, beyond MAX_PICTURES or MAX_SEED, or out of memory. */
int parse_seeds(const char *text, uint64_t **seed);

/* --- JSON: json.c ----------------------------------------------------------------------------- */
/* From here on it is known whether a tree of this thread lacks what found no memory. */
void json_watch(void);
bool json_is_whole(const json_t *value);
/* Something that belongs into a tree of this thread found no memory. */
void json_refuse(void);
/* The only ways to put a value into a tree (tests/layers.py): they take it over, and one that is
 * NULL or finds no room is refused. A key may be any bytes; in a tree that is dumped, UTF-8. */
void json_put(json_t *object, const char *key, json_t *value);
void json_add(json_t *array, json_t *value);
/* All values of `from`, which is not released. */
void json_put_all(json_t *object, const json_t *from);
/* The only ways to a tree from a text: CHL_ERR_FORMAT, and `problem` says why, or CHL_ERR_MEMORY, and
 * the next run_error says so. *value is NULL then. `flags` are jansson's. */
chl_status json_read(const char *text, size_t flags, json_t **value, json_error_t *problem);
chl_status json_read_file(const char *path, json_t **value, json_error_t *problem);
/* A report of the library; NULL without memory: run_error says so. */
json_t *json_parsed(const char *text);
/* json_dumps of a whole tree, as a whole text; NULL without memory. To be freed. */
char *json_dumped(const json_t *value, size_t flags);
#define REPORT_DIGITS JSON_REAL_PRECISION(9)
/* Prints JSON on stdout, one line, and releases it; `flags` are jansson's. An exit code. */
int print_json(json_t *value, size_t flags);
/* Writes it to a file, and releases nothing. An exit code. */
int write_json(const json_t *value, size_t flags, const char *path);
/* Flushes stdout: a full disk or a closed pipe must not look like success. `code`, or EXIT_RUN. */
int finish_output(int code);
/* The file of this program, as an absolute path; false: it is not known, or does not fit. */
bool program_path(char *path, size_t size);

/* A progress line on stderr: rewritten in place on a terminal, a plain line now and then elsewhere.
 */
typedef struct progress_line {
    const char *what;
    double last;
    bool terminal, quiet;
} progress_line;
progress_line progress_start(const char *what, bool quiet);
void progress_show(progress_line *line, const chl_edit_progress *progress);
void progress_end(progress_line *line);
#endif
