/* What a program does that is compiled against the library's own header, for one that is not. */
#ifndef CURRENT_H
#define CURRENT_H
#include <stdint.h>
struct chl_engine;

/* of a W+ code, of an embedding, rows of a code */
void current_sizes(struct chl_engine *engine, int64_t *code, int *embedding, int *rows);
/* chl_edit with the defaults but for these two; returns its status. */
int current_edit(struct chl_engine *engine, int steps, float rate, const float *source,
                 const float *target, float *edited, float *mask);
/* The same by a struct that is longer than the library's, with `tail` in its unknown part. */
int current_edit_newer(struct chl_engine *engine, int steps, int tail, const float *source,
                       const float *target, float *edited);
/* chl_edit_options.size = `size`; returns the status of chl_edit. */
int current_edit_of_size(struct chl_engine *engine, uint32_t size, const float *source,
                         const float *target, float *edited);
/* 0, or the number of the first option struct that does not end with its last field: padding at the
 * end is where a later header's field would lie inside an older caller's size. */
int current_padded_struct(void);
#endif
