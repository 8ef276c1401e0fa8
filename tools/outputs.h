/* What a command will write. Every command lists its outputs in a table and checks them all before
 * its first step: that the names fit the contents, that no two flags name one file, that none is a
 * file that the command reads, and that each file can be written (chl_file_check). */
#ifndef CHL_TOOLS_OUTPUTS_H
#define CHL_TOOLS_OUTPUTS_H
#include "options.h"
#include <sys/types.h>

typedef enum output_kind {
    OUTPUT_PICTURE,          /* .png */
    OUTPUT_ARRAY,            /* .npy */
    OUTPUT_PICTURE_OR_ARRAY, /* .png or .npy */
    OUTPUT_WEIGHTS,          /* .safetensors */
    OUTPUT_SOUND,            /* .wav */
    OUTPUT_JSON,             /* .json */
    OUTPUT_PAGE,             /* .html */
    OUTPUT_VIDEO,            /* .mp4 */
    OUTPUT_FOLDER            /* is created; its files are outputs of their own */
} output_kind;

typedef struct output {
    const char *flag;
    char *path, *target; /* target: after links; NULL for pipes and devices */
    output_kind kind;
    bool made, exists; /* a folder that the check created; a file that is there */
    dev_t device;      /* and inode: which one */
    ino_t inode;
} output;

typedef struct output_table {
    output *item;
    int count, capacity;
    bool broken;    /* out of memory */
    text_list read; /* of output_reads */
} output_table;

/* A path of NULL is no output. The path is copied. */
void output_add(output_table *table, const char *flag, output_kind kind, const char *path);
/* A file that the command reads. Flags of the kinds OPTION_INPUT and OPTION_INPUTS are known
 * without. The path is not copied. */
void output_reads(output_table *table, const char *path);
/* EXIT_OK, EXIT_USAGE or EXIT_RUN; an error is printed, folders that were created are removed
 * again. Frees the table. */
int output_check(const command_line *line, output_table *table);
/* Removes the folders that checks created and into which nothing came, for a command that failed. */
void remove_empty_outputs(void);
/* A folder of files that a command has made for itself, with what a killed process left half-written. */
void remove_own_folder(const char *path);
/* Whether `path` ends in `end`, in small or capital letters. */
bool ends_in(const char *path, const char *end);
#endif
