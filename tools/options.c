#include "options.h"
#include "print.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int usage_error(const command_line *line, const char *format, ...) {
    va_list arguments;
    char *text;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) text = NULL;
    va_end(arguments);
    fprintf(stderr, "chladni: %s\nusage: chladni %s\n       --help lists the flags\n", shown(text),
            line->usage);
    free(text);
    return EXIT_USAGE;
}

static void print_help(const command_line *line) {
    printf("usage: chladni %s\n\n%s\n\n", line->usage, line->about);
    for (int i = 0; i < line->count; i++) {
        const option *o = &line->options[i];
        char flag[80];
        snprintf(flag, sizeof flag, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %-34s %s\n", flag, o->help);
    }
}

/* name[0..length) equals b up to - and _ */
static bool same_flag(const char *name, size_t length, const char *b) {
    if (!b || strlen(b) != length) return false;
    for (size_t i = 0; i < length; i++) {
        char x = name[i] == '_' ? '-' : name[i], y = b[i] == '_' ? '-' : b[i];
        if (x != y) return false;
    }
    return true;
}

static const option *find_option(const command_line *line, const char *name, size_t length) {
    for (int i = 0; i < line->count; i++)
        if (same_flag(name, length, line->options[i].name) ||
            same_flag(name, length, line->options[i].alias))
            return &line->options[i];
    return NULL;
}

static bool read_choice(const option *o, const char *text) {
    int index = 0;
    for (const char *word = o->argument; *word; index++) {
        size_t length = strcspn(word, "|");
        if (strlen(text) == length && strncmp(word, text, length) == 0) {
            *(int *)o->value = index;
            return true;
        }
        word += length + (word[length] == '|');
    }
    return false;
}

const char *input_path(const char *name) {
    return strcmp(name, "-") == 0 ? "/dev/stdin" : name;
}

bool append_text(text_list *list, const char *text) {
    if (list->count == list->capacity) {
        const int capacity = list->capacity ? 2 * list->capacity : 16;
        const char **grown = realloc(list->item, sizeof *grown * (size_t)capacity);
        if (!grown) return false;
        list->item = grown;
        list->capacity = capacity;
    }
    list->item[list->count++] = text;
    return true;
}

static bool read_value(const option *o, const char *text) {
    char *end;
    errno = 0;
    switch (o->kind) {
    case OPTION_FLAG:
        return false;
    case OPTION_TEXT:
        *(const char **)o->value = text;
        return true;
    case OPTION_INPUT:
        *(const char **)o->value = input_path(text);
        return true;
    case OPTION_OUTPUT:
        *(const char **)o->value = strcmp(text, "-") == 0 ? "/dev/stdout" : text;
        return true;
    case OPTION_INPUTS:
        return append_text(o->value, input_path(text));
    case OPTION_CHOICE:
        return read_choice(o, text);
    case OPTION_INT: {
        long number = strtol(text, &end, 10);
        *(int *)o->value = (int)number;
        return *text && !*end && !errno && number >= INT_MIN && number <= INT_MAX;
    }
    case OPTION_SEED: {
        const unsigned long long number = strtoull(text, &end, 10);
        *(uint64_t *)o->value = number;
        return isdigit((unsigned char)*text) && !*end && !errno && number <= INT64_MAX;
    }
    case OPTION_FLOAT: {
        float number = strtof(text, &end);
        *(float *)o->value = number;
        return *text && !*end && isfinite(number);
    }
    }
    return false;
}

static const char *kind_text(const option *o) {
    switch (o->kind) {
    case OPTION_INT:
        return "a whole number";
    case OPTION_SEED:
        return "a whole number from 0 to 9223372036854775807";
    case OPTION_FLOAT:
        return "a number";
    case OPTION_CHOICE:
        return o->argument;
    case OPTION_INPUT:
    case OPTION_INPUTS:
    case OPTION_OUTPUT:
        return "a file";
    default:
        return "a text";
    }
}

/* --- by name and text ------------------------------------------------------------------------- */
const option *option_named(const command_line *line, const char *name) {
    return find_option(line, name, strlen(name));
}

static bool read_flag(const option *o, const char *text) {
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) != 0) continue;
        *(bool *)o->value = i % 2 == 1;
        return true;
    }
    return false;
}

bool option_set(const option *o, const char *text) {
    if (o->given) *o->given = true;
    return o->kind == OPTION_FLAG ? read_flag(o, text) : read_value(o, text);
}

const char *option_expects(const option *o) {
    return o->kind == OPTION_FLAG ? "true or false" : kind_text(o);
}

static char *choice_word(const option *o) {
    const char *word = o->argument;
    for (int i = 0; i < *(int *)o->value && *word; i++) {
        word += strcspn(word, "|");
        word += *word == '|';
    }
    return strndup(word, strcspn(word, "|"));
}

/* The shortest that reads back as the same number. */
static char *float_text(float number) {
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number) break;
    }
    return strdup(text);
}

char *option_value(const option *o) {
    const char *text;
    char *made = NULL;
    int length = 0;
    switch (o->kind) {
    case OPTION_FLAG:
        return strdup(*(bool *)o->value ? "true" : "false");
    case OPTION_TEXT:
    case OPTION_INPUT:
    case OPTION_OUTPUT:
        text = *(const char **)o->value;
        return strdup(text ? text : "");
    case OPTION_INT:
        length = asprintf(&made, "%d", *(int *)o->value);
        break;
    case OPTION_SEED:
        length = asprintf(&made, "%llu", (unsigned long long)*(uint64_t *)o->value);
        break;
    case OPTION_FLOAT:
        return float_text(*(float *)o->value);
        break;
    case OPTION_CHOICE:
        return choice_word(o);
    case OPTION_INPUTS:
        return strdup("");
    }
    return length < 0 ? NULL : made;
}

/* One flag at argv[*at]; moves *at over its value. */
static int parse_flag(command_line *line, int argc, char **argv, int *at) {
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const option *o = find_option(line, name, length);
    if (o && o->given) *o->given = true;
    if (o && o->kind == OPTION_FLAG) {
        if (equals) return usage_error(line, "--%s takes no value", o->name);
        *(bool *)o->value = true;
        return EXIT_OK;
    }
    const char *value = equals ? equals + 1 : *at + 1 < argc ? argv[*at + 1] : NULL;
    if (o && !value) return usage_error(line, "--%s needs %s", o->name, kind_text(o));
    if (o && !read_value(o, value))
        return usage_error(line, "--%s must be %s, got %s", o->name, kind_text(o), value);
    if (!o) {
        char flag[64];
        snprintf(flag, sizeof flag, "%.*s", (int)length, name);
        if (!line->extra || !line->extra(line->user, flag, value))
            return usage_error(line, "unknown flag --%s", flag);
        if (!value) return usage_error(line, "--%s needs a value", flag);
    }
    if (!equals) ++*at;
    return EXIT_OK;
}

int parse_options(command_line *line, int argc, char **argv, bool *done) {
    *done = false;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(line);
            *done = true;
            return EXIT_OK;
        }
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            int code = parse_flag(line, argc, argv, &i);
            if (code != EXIT_OK) return code;
        } else if (line->positionals < line->max_positionals) {
            line->positional[line->positionals++] = argv[i];
        } else {
            return usage_error(line, "unexpected argument \"%s\": flags begin with --", argv[i]);
        }
    }
    return EXIT_OK;
}
