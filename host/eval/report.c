#include "eval/report.h"
#include <chladni/judge.h>
#include <math.h>
#include <stdlib.h>

json_t *chl_report_number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

void chl_report_set(json_t *object, const char *key, double x) {
    chl_json_set(object, key, chl_report_number(x));
}

json_t *chl_report_share(int64_t hits, int64_t cases) {
    return cases > 0 ? json_real((double)hits / (double)cases) : json_null();
}

chl_status chl_report_finish(json_t *report, uint64_t refused, char **text) {
    *text = chl_json_text(report, JSON_COMPACT | JSON_REAL_PRECISION(6), refused);
    json_decref(report);
    return *text ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "out of memory for a report");
}

chl_status chl_report_end(chl_status status, json_t *report, uint64_t refused, char **text) {
    if (status == CHL_OK) return chl_report_finish(report, refused, text);
    json_decref(report);
    return status;
}

chl_status chl_judge_fail(chl_status status, const char *text) {
    if (!text) text = "the judge gave no text";
    return chl_fail(status, "%s", text);
}
