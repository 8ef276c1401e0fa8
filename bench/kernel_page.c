/* --html FILE: kernel_page.html with the report's JSON in it. */
#include "io/new_file.h"
#include "kernel_results.h"
#include "page.h"
#include <stdlib.h>

extern const char kernel_page_html[]; /* kernel_page.html: CMakeLists.txt */

chl_status kernel_write_page(const kernel_report *report, const char *path) {
    char *text = kernel_report_text(report);
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
