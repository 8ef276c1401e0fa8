#include "one_edit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the table -------------------------------------------------------------------------------- */
static one_edit bound;

one_edit *one_edit_bound(void) {
    return &bound;
}

one_edit one_edit_defaults(void) {
    return (one_edit){.ask = edit_defaults()};
}

const command_line *one_edit_table(void) {
    static const option options[] = {ONE_EDIT_OPTIONS(bound)};
    static const command_line table = {
        .usage = "edit", .options = options, .count = sizeof options / sizeof options[0]};
    return &table;
}

/* --- checks ----------------------------------------------------------------------------------- */
uint64_t one_edit_seed(const one_edit *e) {
    return strtoull(e->seed, NULL, 10);
}

static const char *check_source(const one_edit *e) {
    uint64_t *seed;
    if ((e->ask.image != NULL) + (e->ask.latent != NULL) + (e->seed != NULL) != 1)
        return "give one of --image, --seed, --latent";
    if (!e->seed) return NULL;
    const int count = parse_seeds(e->seed, &seed);
    free(seed);
    return count == 1 ? NULL : "--seed must be one seed in [0, 4294967295]";
}

static const char *check_target(const one_edit *e) {
    if (e->ask.direction)
        return e->sound || e->level != 0 ? "--direction and --sound exclude each other" : NULL;
    if (!e->sound && !e->ask.text) return "give one of --sound, --text, --direction";
    if (e->sound && e->ask.text && !e->ask.mix) return "--sound and --text together need --mix";
    if (e->ask.mix && !(e->sound && e->ask.text)) return "--mix needs one --sound and one --text";
    if (e->level != 0 && !e->sound) return "--level needs --sound";
    if (e->sound && !e->ask.models.audio) return "--sound needs --audio";
    if ((e->ask.text || e->ask.neutral) && !e->ask.models.vocab) return "a text needs --vocab";
    return NULL;
}

static const char *settle_models(one_edit *e) {
    chl_engine_options *models = &e->ask.models;
    if (!models->generator) return "--generator is missing";
    if (!models->clip && !e->ask.direction) return "--clip is missing";
    if (e->ask.generator.has_label && e->ask.generator.label < 0) return "--class must be >= 0";
    models->generator_class = e->ask.generator.has_label ? e->ask.generator.label + 1 : 0;
    if (models->conv_clamp < 0 && models->conv_clamp != -1)
        return "--conv-clamp must be > 0, 0 (by the file's kind) or -1 (none)";
    return NULL;
}

const char *one_edit_settle(one_edit *e) {
    static char text[256];
    const char *wrong = check_source(e);
    if (!wrong) wrong = check_target(e);
    if (!wrong) wrong = settle_models(e);
    if (!wrong) wrong = edit_settings_wrong(&e->ask);
    if (!wrong && e->ask.mix && !edit_read_mix(&e->ask)) {
        snprintf(text, sizeof text, EDIT_MIX_FORM, e->ask.mix);
        wrong = text;
    }
    if (!wrong && e->ask.keep && !edit_read_keep(&e->ask)) {
        snprintf(text, sizeof text, EDIT_KEEP_FORM, e->ask.keep);
        wrong = text;
    }
    return wrong;
}

/* --- what was asked for, as JSON -------------------------------------------------------------- */
static json_t *values_of(const one_edit *e) {
    const command_line *table = one_edit_table();
    json_t *values = json_array();
    bound = *e;
    for (int i = 0; i < table->count; i++) {
        char *value = option_value(&table->options[i]);
        if (!value) json_refuse();
        json_add(values, json_text(value));
        free(value);
    }
    return values;
}

json_t *one_edit_options(const one_edit *e) {
    const command_line *table = one_edit_table();
    const one_edit kept = bound, defaults = one_edit_defaults();
    json_t *usual = values_of(&defaults), *mine = values_of(e), *given = json_object();
    for (int i = 0; i < table->count; i++) {
        const option *o = &table->options[i];
        json_t *value = json_array_get(mine, (size_t)i);
        if ((o->given && *o->given) || !json_equal(value, json_array_get(usual, (size_t)i)))
            json_put(given, o->name, json_incref(value));
    }
    json_decref(mine);
    json_decref(usual);
    bound = kept;
    if (json_is_whole(given)) return given;
    json_decref(given);
    return NULL;
}

/* --- digests ---------------------------------------------------------------------------------- */
const char *file_digest(file_digests *files, const char *path) {
    char digest[DIGEST_ROOM], name[DIGEST_ROOM];
    if (!files->known) files->known = json_object();
    digest_of_text(path, name); /* a path may be any bytes, a key of JSON not */
    const char *known = json_string_value(json_object_get(files->known, name));
    if (known) return known;
    if (digest_of_file(path, digest) != CHL_OK) return NULL;
    json_put(files->known, name, json_string(digest));
    known = json_string_value(json_object_get(files->known, name));
    if (!known) (void)command_fail(CHL_ERR_MEMORY, "out of memory for digests of files");
    return known;
}

void file_digests_free(file_digests *files) {
    json_decref(files->known);
    files->known = NULL;
}

bool is_edit_input(const char *flag) {
    return strcmp(flag, "image") == 0 || strcmp(flag, "latent") == 0 ||
           strcmp(flag, "sound") == 0 || strcmp(flag, "direction") == 0;
}

chl_status one_edit_digests(file_digests *files, const one_edit *e, edit_files which,
                            json_t **digests) {
    const command_line *table = one_edit_table();
    const one_edit kept = bound;
    chl_status status = CHL_OK;
    *digests = json_object();
    bound = *e;
    for (int i = 0; i < table->count && status == CHL_OK; i++) {
        const option *o = &table->options[i];
        const char *path = o->kind == OPTION_INPUT ? *(const char **)o->value : NULL;
        if (!path || (which != EDIT_ALL_FILES && is_edit_input(o->name) != (which == EDIT_INPUTS)))
            continue;
        const char *digest = file_digest(files, path);
        if (digest)
            json_put(*digests, o->name, json_string(digest));
        else
            status = CHL_ERR_IO;
    }
    bound = kept;
    if (status == CHL_OK) return CHL_OK;
    json_decref(*digests);
    *digests = NULL;
    return status;
}
