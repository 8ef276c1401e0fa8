/* `eval`: reports as Markdown, for people and for docs/. */
#ifndef CHL_TOOLS_EVAL_REPORT_H
#define CHL_TOOLS_EVAL_REPORT_H
#include <jansson.h>

void print_zero_shot(const json_t *report);
void print_probe(const json_t *report);
/* Of one baseline, tested. */
void print_supervised(const json_t *report);
void print_retrieval(const json_t *report);
void print_pictures(const json_t *report);
void print_whole(const json_t *report);
void print_edits(const json_t *report);
void print_ablation(const json_t *report);
/* The same table, then the published figures. */
void print_comparison(const json_t *report);
#endif
