/* --html: kernel_page.html with what was measured in it, as JSON. */
#ifndef CHL_BENCH_KERNEL_PAGE_H
#define CHL_BENCH_KERNEL_PAGE_H
#include "base/json.h"

/* The page of one profiled step alone (bench_step_json); the file appears complete or not at all. */
chl_status bench_write_steps_page(const json_t *step, const char *path);
#endif
