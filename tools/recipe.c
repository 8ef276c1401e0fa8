#include "recipe.h"
#include "outputs.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECIPE_VERSION 1

/* --- making ----------------------------------------------------------------------------------- */
static bool is_file(const char *flag) {
    const option *o = option_named(one_edit_table(), flag);
    return o && o->kind == OPTION_INPUT;
}

static chl_status no_memory(void) {
    return command_fail(CHL_ERR_MEMORY, "out of memory for a recipe");
}

chl_status recipe_id(const one_edit *e, const json_t *digests, char id[DIGEST_ROOM]) {
    json_t *options = one_edit_options(e), *facts = json_object(), *value;
    const char *flag;
    json_object_foreach(options, flag, value) {
        if (!is_file(flag) && strcmp(flag, "device") != 0)
            json_put(facts, flag, json_incref(value));
    }
    json_t *whole = json_pack("[o, O]", facts, digests);
    char *text = options ? json_dumped(whole, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text) digest_of_text(text, id);
    json_decref(options);
    json_decref(whole);
    const chl_status status = text ? CHL_OK : no_memory();
    free(text);
    return status;
}

/* Where the file is, whatever the working folder is. */
static json_t *absolute(const char *path) {
    char *whole = realpath(path, NULL);
    if (!whole && errno == ENOMEM) json_refuse();
    json_t *text = json_text(whole ? whole : path);
    free(whole);
    return text;
}

json_t *recipe_new(const one_edit *e, const json_t *digests, const recipe_result *result) {
    char id[DIGEST_ROOM];
    if (recipe_id(e, digests, id) != CHL_OK) return NULL;
    json_t *options = one_edit_options(e), *paths = json_object(), *value, *at_once = json_array();
    const char *flag;
    json_object_foreach(options, flag, value) {
        if (is_file(flag)) json_put(paths, flag, absolute(json_string_value(value)));
    }
    json_put_all(options, paths);
    json_decref(paths);
    for (int i = 0; i < one_edit_slots(e); i++) json_add(at_once, json_integer(result->at_once[i]));
    json_t *recipe =
        json_pack("{s:s, s:i, s:s, s:o, s:O, s:o, s:s, s:{s:o, s:f, s:i}}", "chladni",
                  chl_version(), "recipe", RECIPE_VERSION, "id", id, "options", options, "sha256",
                  digests, "at_once", at_once, "build", chl_build_info(), "result", "cosine",
                  isnan(result->cosine) ? json_null() : json_real(result->cosine), "distance",
                  result->distance, "step", result->step);
    if (json_is_whole(recipe)) return recipe;
    json_decref(recipe);
    (void)no_memory();
    return NULL;
}

/* --- writing and reading ---------------------------------------------------------------------- */
char *recipe_path(const char *path) {
    char *name;
    const int length = (int)strlen(path) - (ends_in(path, ".png") ? 4 : 0);
    return asprintf(&name, "%.*s.json", length, path) < 0 ? NULL : name;
}

chl_status recipe_write_beside(const char *path, const json_t *recipe) {
    char *name = recipe_path(path), *text = json_dumped(recipe, REPORT_DIGITS | JSON_INDENT(1));
    chl_status status = name && text ? CHL_OK : no_memory();
    if (status == CHL_OK) status = chl_file_write(name, text, strlen(text));
    free(name);
    free(text);
    return status;
}

chl_status recipe_write_picture(const char *path, int side, const float *pixels,
                                const json_t *recipe) {
    char *text = json_dumped(recipe, REPORT_DIGITS | JSON_COMPACT);
    if (!text) return no_memory();
    chl_status status = chl_picture_write_text(path, side, side, pixels, RECIPE_KEYWORD, text);
    free(text);
    return status == CHL_OK ? recipe_write_beside(path, recipe) : status;
}

static chl_status check(const char *path, json_t *recipe, json_t **out) {
    if (json_is_object(json_object_get(recipe, "options")) &&
        json_integer_value(json_object_get(recipe, "recipe")) == RECIPE_VERSION) {
        *out = recipe;
        return CHL_OK;
    }
    json_decref(recipe);
    return command_fail(CHL_ERR_FORMAT,
                        "%s: expected a recipe of version %d, got JSON without one: it is damaged, "
                        "or another version of chladni wrote it",
                        path, RECIPE_VERSION);
}

chl_status recipe_read(const char *path, json_t **recipe) {
    json_error_t error;
    json_t *read;
    char *text;
    *recipe = NULL;
    if (ends_in(path, ".json")) {
        const chl_status status = json_read_file(path, &read, &error);
        if (status == CHL_OK) return check(path, read, recipe);
        if (status == CHL_ERR_MEMORY) return status;
        return command_fail(status, "%s: %s", path, error.text);
    }
    chl_status status = chl_picture_read_text(path, RECIPE_KEYWORD, &text);
    if (status != CHL_OK) return status;
    if (!text)
        return command_fail(CHL_ERR_FORMAT,
                            "%s: has no recipe: pictures of batch have one, those of edit with "
                            "--embed-recipe, and the JSON file beside a picture is one too",
                            path);
    status = json_read(text, 0, &read, &error);
    chl_release(text);
    if (status == CHL_OK) return check(path, read, recipe);
    if (status == CHL_ERR_MEMORY) return status;
    return command_fail(status, "%s: its recipe is damaged: %s", path, error.text);
}

chl_status recipe_edit(const char *path, const json_t *recipe, one_edit *e) {
    json_t *options = json_object_get(recipe, "options"), *value;
    one_edit *bound = one_edit_bound();
    const char *flag;
    *bound = one_edit_defaults();
    json_object_foreach(options, flag, value) {
        const option *o = option_named(one_edit_table(), flag);
        const char *text = json_string_value(value);
        if (!o)
            return command_fail(CHL_ERR_FORMAT, "%s: unknown option \"%s\" in its recipe", path,
                                flag);
        if (!text || !option_set(o, text))
            return command_fail(CHL_ERR_FORMAT, "%s: %s in its recipe must be %s, got %s", path,
                                flag, option_expects(o), text ? text : "no text");
    }
    *e = *bound;
    return CHL_OK;
}
