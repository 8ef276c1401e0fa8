/* A direction in a file: D.npy [rows][latent] and beside it D.json, what it is of.
 *
 *   {"chladni": "0.2.0", "direction": 1, "rows": 14, "latent": 512,
 *    "generator": "<SHA-256>",
 *    "by": "rain"                 the sound's or text's name
 *    "sound": "<SHA-256>", "level": 0    or "text": "a storm"
 *    "source": "seed 2, truncation 0.7"  or the SHA-256 of the picture or code; not of a mean
 *    "source_square": 31.5, "source_dot": -0.2    |w_s|^2 and <w_s, direction>
 *    "edits": 1,                  how many it is the mean of
 *    "length": 3.2}
 *
 * The program reads directions of others too, without D.json: their shape is all that is known. */
#ifndef CHL_TOOLS_DIRECTION_H
#define CHL_TOOLS_DIRECTION_H
#include "command.h"

typedef struct direction {
    char *path;
    int rows, latent;
    float *numbers;
    json_t *about; /* NULL: no file beside it */
} direction;

/* D.npy -> D.json, to be freed; NULL without memory. */
char *direction_about_path(const char *path);
/* CHL_ERR_FORMAT, CHL_ERR_SHAPE for files that are no direction; *out is to be freed either way. */
chl_status direction_read(const char *path, direction *out);
void direction_free(direction *d);
/* Completes `about` by what every direction has, and releases it. */
chl_status direction_write(const char *path, int rows, int latent, const float *numbers,
                           json_t *about);
/* Whether it fits a generator of these sizes and, where both are known, this digest. */
chl_status direction_check(const direction *d, int rows, int latent, const char *generator,
                           const char *of);
/* A text of `about`, or NULL. */
const char *direction_text(const direction *d, const char *key);
/* What guided it: "by", or the file's name without folder and ending. */
void direction_name(const direction *d, char *name, size_t room);

/* Directions of files and folders. Of a folder those that have a D.json, by name. */
typedef struct direction_list {
    direction *item;
    int count, capacity;
} direction_list;
/* An exit code; the error is printed. `by`: NULL, or the only name to be taken. */
int direction_list_read(direction_list *list, int count, const char *const *path, const char *by);
void direction_list_free(direction_list *list);
#endif
