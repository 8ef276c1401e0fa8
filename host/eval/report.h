/* Helpers to build reports in JSON. */
#ifndef CHL_EVAL_REPORT_H
#define CHL_EVAL_REPORT_H
#include "base/json.h"

/* A number, or null for NAN and infinity, which JSON does not have. */
json_t *chl_report_number(double x);
/* object[key] = number */
void chl_report_set(json_t *object, const char *key, double x);
/* hits / cases, or null without cases */
json_t *chl_report_share(int64_t hits, int64_t cases);
/* Writes the tree as text, which the caller frees, and releases the tree. CHL_ERR_MEMORY where it
 * is NULL, or lacks something: `refused` is chl_json_refused() when its first part was made. */
chl_status chl_report_finish(json_t *report, uint64_t refused, char **text);
/* The same where `status` is a success; else releases the report and returns it. */
chl_status chl_report_end(chl_status status, json_t *report, uint64_t refused, char **text);
#endif
