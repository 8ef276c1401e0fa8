/* The numbers in the lines of a pairs.jsonl, by key, as columns of classes: whole numbers from 0
 * up.
 *
 * A line may hold any key. What a number under a key means, only a training or an evaluation knows,
 * so that numbers are kept as they come and looked up by name. A column takes four bytes a line;
 * keeping the lines' JSON would take a kilobyte. */
#ifndef CHL_TRAIN_CLASS_COLUMNS_H
#define CHL_TRAIN_CLASS_COLUMNS_H
#include "base/json.h"
#include "base/status.h"

#define CHL_CLASS_ABSENT (-1)
#define CHL_CLASS_INVALID (-2) /* a number, but not a whole one from 0 up */

typedef struct chl_class_columns chl_class_columns;

/* CHL_ERR_MEMORY here and below. */
chl_status chl_class_columns_new(chl_class_columns **out);
void chl_class_columns_free(chl_class_columns *columns);
/* Takes the numbers of line `index`; lines come in order, from 0. */
chl_status chl_class_columns_add(chl_class_columns *columns, int64_t index, const json_t *line);
/* After the last line: every column gets `count` values. */
chl_status chl_class_columns_finish(chl_class_columns *columns, int64_t count);
/* [count], or NULL where no line has a number under the key; valid until chl_class_columns_free. */
const int *chl_class_columns_find(const chl_class_columns *columns, const char *key);
#endif
