/* Command lines: long flags described by a table, which also prints the help. Underscores and
 * dashes in a flag are the same, so that the peers' spellings work. */
#ifndef CHL_TOOLS_OPTIONS_H
#define CHL_TOOLS_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

/* Exit codes of the program. */
enum {
    EXIT_OK = 0,
    EXIT_RUN = 1,
    EXIT_USAGE = 2,
    EXIT_SOME_FAILED = 3,
    EXIT_AGAIN = 75, /* stopped with a checkpoint: run again */
    EXIT_INTERRUPT = 130
};

typedef enum option_kind {
    OPTION_FLAG,  /* bool */
    OPTION_TEXT,  /* const char * */
    OPTION_INT,   /* int */
    OPTION_SEED,  /* uint64_t, at most INT64_MAX, which JSON can hold */
    OPTION_FLOAT, /* float, finite */
    /* const char *: a file; "-" is standard input, or output */
    OPTION_INPUT,
    OPTION_OUTPUT,
    OPTION_INPUTS, /* text_list: the flag may be given several times */
    OPTION_CHOICE  /* int: index into the |-separated words of `argument` */
} option_kind;

/* Release `item` with free. */
typedef struct text_list {
    const char **item;
    int count, capacity;
} text_list;

typedef struct option {
    const char *name;  /* without dashes */
    const char *alias; /* another spelling, or NULL */
    option_kind kind;
    void *value;
    const char *argument; /* shown in the help; the words of a CHOICE */
    const char *help;
    bool *given; /* set when the flag occurs; may be NULL */
} option;

/* Called for each argument that an ordered command takes itself (`embed`: --sound, --image, --text
 * repeated). Returns false when it does not know the flag. */
typedef bool (*option_extra)(void *user, const char *name, const char *value);

typedef struct command_line {
    const char *usage; /* "edit (--image P | --seed N ...) --out O.png" */
    const char *about;
    const option *options;
    int count;
    const char **positional; /* what is not a flag */
    int positionals, max_positionals;
    option_extra extra;
    void *user;
} command_line;

/* EXIT_OK to go on. Otherwise the program's exit code: --help was printed (`*done` set), or the
 * usage was wrong (the error is on stderr). */
int parse_options(command_line *line, int argc, char **argv, bool *done);
/* The option of that name or alias; NULL: none. */
const option *option_named(const command_line *line, const char *name);
/* Its value from a text, which is not copied, as behind the flag; a FLAG takes 1, true, yes, on, 0,
 * false, no, off. false: it is not `option_expects`, e.g. "a whole number". */
bool option_set(const option *o, const char *text);
const char *option_expects(const option *o);
/* The value as option_set reads it, to be freed; "" for a text that is not there. NULL without memory.
 * Of OPTION_INPUTS: "". */
char *option_value(const option *o);
/* Adds a text, which is not copied; false without memory. */
bool append_text(text_list *list, const char *text);
/* A file to read by its name on a command line: "-" is standard input. */
const char *input_path(const char *name);
/* "chladni: text" and a hint at --help on stderr; returns EXIT_USAGE. */
int usage_error(const command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#endif
