#include "kernel_page.h"
#include "io/new_file.h"
#include "kernel_results.h"
#include "page.h"
#include <stdlib.h>

extern const char kernel_page_html[]; /* kernel_page.html: CMakeLists.txt */

/* Takes the text over; NULL: there was no memory for it. */
static chl_status write_page(char *text, const char *path) {
    char *page = text ? page_with_data(kernel_page_html, text) : NULL;
    free(text);
    if (!page) return chl_fail(CHL_ERR_MEMORY, "out of memory for %s", path);
    chl_new_file file;
    chl_status status = chl_new_file_begin(path, &file);
    if (status == CHL_OK) {
        fputs(page, file.stream);
        status = chl_new_file_commit(&file);
    }
    free(page);
    return status;
}

chl_status kernel_write_page(const kernel_report *report, const char *path) {
    return write_page(kernel_report_text(report), path);
}

chl_status bench_write_steps_page(const json_t *step, const char *path) {
    const uint64_t refused = chl_json_refused();
    json_t *steps = json_array();
    chl_json_append(steps, json_deep_copy(step));
    json_t *out = json_pack("{s:s, s:o, s:[], s:o}", "version", CHLADNI_VERSION, "conditions",
                            kernel_conditions(), "kernels", "steps", steps);
    char *text = chl_json_text(out, JSON_INDENT(1), refused);
    json_decref(out);
    return write_page(text, path);
}
