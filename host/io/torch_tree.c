/* From the objects of a PyTorch pickle to named arrays. Example: a module whose attributes are
 *
 *     {"_parameters": {"weight": tensor}, "_modules": {"fc": module with "_parameters": {"bias":
 * t}}}
 *
 * becomes "weight" and "fc.bias", the names of its state_dict().
 *
 * The objects may be hostile: references may be shared (the number of paths is then exponential in
 * the size of the file) or cyclic. Depth, visited entries and the bytes of all arrays are limited,
 * far above what any network needs. */
#include "io/torch_facts.h"
#include "io/torch_tensor.h"
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 64
#define MAX_VISITS ((int64_t)1 << 22)
#define MAX_UNWRAPS 4
/* Items in the dict of NVIDIA's persistence wrapper: five keys and values, and some reserve. */
#define MAX_META 64
/* All arrays together may have this many times the bytes of the file: a factor 4 for uint8 to
 * int32, the rest for weights that are shared under several names. */
#define BUDGET_FACTOR 16
#define BUDGET_FLOOR ((size_t)1 << 20)

typedef struct walker {
    const chl_torch_source *source;
    chl_params *into;
    chl_torch_budget budget;
    int64_t visits;
    int depth;
    char key[CHL_KEY_LENGTH + 1];
    size_t length;
} walker;

typedef chl_pickle_value value;

static chl_status walk(walker *w, value *v, bool numbers);

static bool is_persistent(const value *v) {
    return v->kind == CHL_PICKLE_OBJECT &&
           chl_pickle_is_global(v->object.callee, "torch_utils.persistence",
                                "_reconstruct_persistent_obj");
}

/* The attributes of an instance, whichever way it was pickled: BUILD with a dict, with (dict,
 * slots), or NVIDIA's persistence wrapper, whose only argument is a dict with the key "state". */
static value *attributes(const value *v) {
    if (v->kind != CHL_PICKLE_OBJECT) return NULL;
    value *state = v->object.state;
    if (!state && is_persistent(v)) {
        const value *meta = chl_pickle_argument(v, 0);
        if (meta && meta->kind == CHL_PICKLE_DICT && meta->list.count <= MAX_META)
            state = chl_pickle_get(meta, "state");
    }
    if (state && state->kind == CHL_PICKLE_TUPLE && state->list.count == 2)
        state = state->list.item[0];
    return state && state->kind == CHL_PICKLE_DICT ? state : NULL;
}

static bool is_module(const value *v) {
    const value *state = attributes(v);
    return state && (chl_pickle_get(state, "_parameters") || chl_pickle_get(state, "_modules") ||
                     chl_pickle_get(state, "_buffers"));
}

static bool is_script(const value *v) {
    const char prefix[] = "__torch__";
    return attributes(v) && v->object.callee->kind == CHL_PICKLE_GLOBAL &&
           v->object.callee->global.module.size >= sizeof prefix - 1 &&
           memcmp(v->object.callee->global.module.data, prefix, sizeof prefix - 1) == 0;
}

/* A dict, an OrderedDict, or an instance of a subclass of dict. */
static const value *dict_of(const value *v) {
    if (v->kind == CHL_PICKLE_DICT) return v;
    if (v->kind == CHL_PICKLE_OBJECT && !chl_torch_is_tensor(v)) return v->object.entries;
    return NULL;
}

static bool is_container(const value *v) {
    return dict_of(v) || is_module(v) || is_script(v);
}

static chl_status charge(walker *w, int64_t visits) {
    w->visits += visits;
    if (w->visits <= MAX_VISITS) return CHL_OK;
    return chl_fail(
        CHL_ERR_FORMAT,
        "%s: more than %lld entries, because objects refer to each other over and over: "
        "not a checkpoint",
        w->into->source, (long long)MAX_VISITS);
}

static chl_status walk_number(walker *w, const value *v) {
    void *data = NULL;
    CHL_TRY(chl_torch_spend(&w->budget, sizeof(float), w->key, w->into->source));
    if (v->kind == CHL_PICKLE_FLOAT) {
        CHL_TRY(chl_params_add(w->into, w->key, (chl_desc){.dtype = CHL_F32}, &data));
        *(float *)data = (float)v->real;
    } else if (v->integer >= INT32_MIN && v->integer <= INT32_MAX) {
        CHL_TRY(chl_params_add(w->into, w->key, (chl_desc){.dtype = CHL_I32}, &data));
        *(int32_t *)data = (int32_t)v->integer;
    } else
        chl_log(CHL_LOG_DEBUG, "%s: \"%s\" is an integer beyond 32 bits: ignored", w->into->source,
                w->key);
    return CHL_OK;
}

/* Visits one entry under its name. */
static chl_status walk_entry(walker *w, const value *name, value *v, bool numbers) {
    char part[CHL_KEY_LENGTH + 1];
    if (name->kind != CHL_PICKLE_TEXT) {
        chl_log(CHL_LOG_DEBUG, "%s: an entry of \"%s\" has a name that is not a text: ignored",
                w->into->source, w->key);
        return CHL_OK;
    }
    CHL_TRY(chl_key_copy(name->bytes.data, name->bytes.size, w->into->source, part));
    const size_t before = w->length, dot = before > 0;
    if (before + dot + name->bytes.size > CHL_KEY_LENGTH)
        return chl_fail(CHL_ERR_FORMAT, "%s: the key \"%.80s...\" is longer than %d bytes",
                        w->into->source, w->key, CHL_KEY_LENGTH);
    if (dot) w->key[w->length++] = '.';
    memcpy(w->key + w->length, part, name->bytes.size + 1);
    w->length += name->bytes.size;
    chl_status status = walk(w, v, numbers);
    w->length = before;
    w->key[before] = '\0';
    return status;
}

static bool lists_text(const value *list, const value *text) {
    for (int64_t i = 0; i < list->list.count; i++)
        if (list->list.item[i]->kind == CHL_PICKLE_TEXT &&
            list->list.item[i]->bytes.size == text->bytes.size &&
            memcmp(list->list.item[i]->bytes.data, text->bytes.data, text->bytes.size) == 0)
            return true;
    return false;
}

/* The names in a module's set of buffers that are not saved: a set literal, or set([...]). */
static const value *unsaved_buffers(const value *state) {
    const value *set = chl_pickle_get(state, "_non_persistent_buffers_set");
    if (set && set->kind == CHL_PICKLE_OBJECT) set = chl_pickle_argument(set, 0);
    return set && set->kind == CHL_PICKLE_LIST ? set : NULL;
}

static chl_status walk_dict(walker *w, const value *dict, const value *unsaved, bool numbers) {
    for (int64_t i = 0; dict && i + 1 < dict->list.count; i += 2) {
        const value *name = dict->list.item[i];
        CHL_TRY(charge(w, unsaved ? 1 + unsaved->list.count : 1));
        if (unsaved && name->kind == CHL_PICKLE_TEXT && lists_text(unsaved, name)) continue;
        CHL_TRY(walk_entry(w, name, dict->list.item[i + 1], numbers));
    }
    return CHL_OK;
}

static const value *part_of(const value *state, const char *name) {
    const value *part = chl_pickle_get(state, name);
    return part ? dict_of(part) : NULL;
}

static chl_status walk_module(walker *w, const value *v) {
    const value *state = attributes(v);
    if (is_persistent(v)) CHL_TRY(chl_torch_state_facts(state, w->key, w->into));
    CHL_TRY(walk_dict(w, part_of(state, "_parameters"), NULL, false));
    CHL_TRY(walk_dict(w, part_of(state, "_buffers"), unsaved_buffers(state), false));
    return walk_dict(w, part_of(state, "_modules"), NULL, false);
}

static chl_status walk(walker *w, value *v, bool numbers) {
    if (chl_torch_is_tensor(v)) return chl_torch_tensor(v, w->key, w->source, &w->budget, w->into);
    /* searching a module's attributes for its dicts costs a pass over them */
    const value *state = attributes(v);
    CHL_TRY(charge(w, state ? state->list.count : 0));
    if (is_container(v)) {
        if (w->depth == MAX_DEPTH)
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: \"%.80s\" is nested deeper than %d: not a checkpoint",
                            w->into->source, w->key, MAX_DEPTH);
        w->depth++;
        chl_status status = is_module(v)   ? walk_module(w, v)
                            : is_script(v) ? walk_dict(w, state, NULL, false)
                                           : walk_dict(w, dict_of(v), NULL, numbers);
        w->depth--;
        return status;
    }
    if (numbers && w->depth &&
        (v->kind == CHL_PICKLE_INT || v->kind == CHL_PICKLE_BOOL || v->kind == CHL_PICKLE_FLOAT))
        return walk_number(w, v);
    chl_log(CHL_LOG_DEBUG, "%s: \"%s\" is not an array: ignored", w->into->source, w->key);
    return CHL_OK;
}

/* What a training's checkpoint holds beside the network. */
typedef struct beside {
    value *latent_avg; /* a tensor, or NULL */
    const value *args; /* a DICT, or NULL */
    const value *opts; /* the same */
} beside;

/* A dict, or a Namespace's. */
static const value *options_of(const value *v) {
    return v && v->kind != CHL_PICKLE_DICT ? attributes(v) : v;
}

/* rosinality's train.py: {"g": ..., "d": ..., "g_ema": ..., "args": Namespace, ...} */
static const value *options_beside(const value *dict) {
    return chl_pickle_get(dict, "g_ema") ? options_of(chl_pickle_get(dict, "args")) : NULL;
}

/* pSp's and e4e's coach: {"state_dict": ..., "opts": {"encoder_type": ..., ...}, "latent_avg": ...} */
static const value *encoder_options_beside(const value *dict) {
    const value *opts = options_of(chl_pickle_get(dict, "opts"));
    return opts && chl_pickle_get(opts, "encoder_type") ? opts : NULL;
}

/* Training checkpoints hold the network beside optimisers and options. */
static value *unwrap(value *root, beside *found) {
    static const char *const wanted[] = {
        "g_ema",          "G_ema",      "ema",        "model_ema",        "ema_state_dict",
        "state_dict_ema", "params_ema", "state_dict", "model_state_dict", "model",
        "params",         "generator",  "net",        "network",          "module"};
    *found = (beside){0};
    for (int level = 0; level < MAX_UNWRAPS; level++) {
        const value *dict = dict_of(root);
        value *inner = NULL;
        for (size_t i = 0; dict && !inner && i < sizeof wanted / sizeof *wanted; i++) {
            inner = chl_pickle_get(dict, wanted[i]);
            if (inner && !is_container(inner)) inner = NULL;
        }
        if (!inner) break;
        value *average = chl_pickle_get(dict, "latent_avg");
        if (average && chl_torch_is_tensor(average) && !found->latent_avg)
            found->latent_avg = average;
        if (!found->args) found->args = options_beside(dict);
        if (!found->opts) found->opts = encoder_options_beside(dict);
        root = inner;
    }
    return root;
}

/* A list of tensors, as torch.save([w, ...]) writes: "0", "1", ... */
static chl_status walk_list(walker *w, const value *list) {
    CHL_TRY(charge(w, list->list.count));
    for (int64_t i = 0; i < list->list.count; i++) {
        if (!chl_torch_is_tensor(list->list.item[i])) continue;
        snprintf(w->key, sizeof w->key, "%lld", (long long)i);
        CHL_TRY(walk(w, list->list.item[i], false));
    }
    return CHL_OK;
}

chl_status chl_torch_collect(value *root, const chl_torch_source *source, chl_params *into) {
    walker w = {.source = source, .into = into};
    if (__builtin_mul_overflow(source->size, BUDGET_FACTOR, &w.budget.left))
        w.budget.left = SIZE_MAX / 2;
    w.budget.left += BUDGET_FLOOR;
    beside found;
    root = unwrap(root, &found);
    if (chl_torch_is_tensor(root)) memcpy(w.key, "array", sizeof "array");
    if (root->kind == CHL_PICKLE_LIST || root->kind == CHL_PICKLE_TUPLE)
        CHL_TRY(walk_list(&w, root));
    else
        CHL_TRY(walk(&w, root, true));
    CHL_TRY(chl_params_strip(into, "module."));
    if (found.latent_avg && !chl_params_find(into, "latent_avg"))
        CHL_TRY(chl_torch_tensor(found.latent_avg, "latent_avg", source, &w.budget, into));
    if (found.args) CHL_TRY(chl_torch_state_options(found.args, into));
    if (found.opts) CHL_TRY(chl_torch_state_encoder(found.opts, into));
    if (into->count) return CHL_OK;
    return chl_fail(
        CHL_ERR_FORMAT,
        "%s: no weights were found (searched g_ema, G_ema, ema, state_dict, model and "
        "similar entries and the top level for tensors): expected the checkpoint of a network",
        into->source);
}
