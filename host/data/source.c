#include "data/source.h"
#include "base/text_buffer.h"
#include "data/layouts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMED_MISSING 3 /* in the log; all are kept */

static const chl_layout *const layouts[] = {
    &chl_layout_shards,   &chl_layout_manifest, &chl_layout_official, &chl_layout_vggsound,
    &chl_layout_audioset, &chl_layout_pictures, &chl_layout_folders};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

/* A set of which nothing is there is none; of one that lacks some the rest is used. */
static chl_status tell_missing(const chl_source *s, const char *path) {
    if (s->missing == 0) return CHL_OK;
    chl_text_buffer list = {0};
    for (int64_t i = 0; i < s->missing && i < NAMED_MISSING; i++)
        chl_text_add(&list, "%s%s", i ? ", " : "", s->missing_name[i]);
    if (s->missing > NAMED_MISSING) chl_text_add(&list, ", ...");
    CHL_TRY(chl_text_done(&list, "the names of missing sounds"));
    const int64_t named = s->missing + s->count;
    chl_status status = CHL_OK;
    if (s->count == 0)
        status =
            chl_fail(CHL_ERR_IO, "%s: none of the %lld sounds that it names is there, readable: %s",
                     path, (long long)s->missing, list.text);
    else
        chl_log(CHL_LOG_WARN,
                "%s: %lld of the %lld sounds that it names are not there or not readable, and left "
                "out: %s",
                path, (long long)s->missing, (long long)named, list.text);
    free(list.text);
    return status;
}

static chl_status unknown(const char *path) {
    chl_text_buffer list = {0};
    if (access(path, F_OK) != 0 && !strchr(path, '{'))
        return chl_fail(CHL_ERR_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < LAYOUTS; i++) chl_text_add(&list, "%s%s", i ? "; " : "", layouts[i]->what);
    CHL_TRY(chl_text_done(&list, "the kinds of sets"));
    const chl_status status = chl_fail(
        CHL_ERR_FORMAT, "%s must be a folder with pairs.jsonl, or one of: %s", path, list.text);
    free(list.text);
    return status;
}

static chl_status read_any(chl_source *s, const char *path, const chl_source_choice *choice) {
    bool mine = false;
    for (int i = 0; i < LAYOUTS && !mine; i++) CHL_TRY(layouts[i]->read(s, path, choice, &mine));
    if (!mine) return unknown(path);
    CHL_TRY(tell_missing(s, path));
    if (s->count > 0) return CHL_OK;
    const bool chosen = choice->esc10 || choice->folds || choice->split;
    return chl_fail(CHL_ERR_FORMAT, "%s names no sound%s", path,
                    chosen ? " of the chosen ones" : "");
}

chl_status chl_source_open(const char *path, const chl_source_choice *choice, chl_source **out) {
    static const chl_source_choice all = {0};
    *out = NULL;
    chl_source *s = calloc(1, sizeof *s);
    if (!s) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its clips", path);
    const chl_status status = read_any(s, path, choice ? choice : &all);
    CHL_HAND_OVER(status, s, out, chl_source_free);
}
