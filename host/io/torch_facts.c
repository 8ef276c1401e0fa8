/* What NVIDIA's persistent classes store with each module: the arguments that it was made with,
 * `_init_args` and `_init_kwargs`, and attributes that decide what it computes. They become facts
 * (base/facts.h), named by the module. */
#include "io/torch_facts.h"
#include "base/facts.h"
#include "io/element.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_LENGTH 160
#define LIST_LENGTH 16
#define MAX_DEPTH 4 /* of dicts of arguments within each other */

typedef chl_pickle_value value;

/* A number of numpy's, numpy.core.multiarray.scalar(numpy.dtype('f8'), its bytes), as a plain one. */
static value plain(const value *v) {
    const value *type = chl_pickle_argument(v, 0), *bytes = chl_pickle_argument(v, 1);
    const value *name = chl_pickle_argument(type, 0);
    value number = *v;
    if (!name || !bytes || bytes->kind != CHL_PICKLE_BYTES ||
        (!chl_pickle_is_global(v->object.callee, "numpy.core.multiarray", "scalar") &&
         !chl_pickle_is_global(v->object.callee, "numpy._core.multiarray", "scalar")))
        return number;
    if (chl_pickle_is_text(name, "f8") && bytes->bytes.size == 8) {
        number.kind = CHL_PICKLE_FLOAT;
        memcpy(&number.real, bytes->bytes.data, 8);
    } else if (chl_pickle_is_text(name, "i8") && bytes->bytes.size == 8) {
        number.kind = CHL_PICKLE_INT;
        memcpy(&number.integer, bytes->bytes.data, 8);
    } else if (chl_pickle_is_text(name, "b1") && bytes->bytes.size == 1) {
        number.kind = CHL_PICKLE_BOOL;
        number.integer = *bytes->bytes.data != 0;
    }
    return number;
}

static bool print_number(const value *given, char *to, size_t size) {
    const value number = plain(given), *v = &number;
    if (v->kind == CHL_PICKLE_BOOL)
        snprintf(to, size, v->integer ? "True" : "False");
    else if (v->kind == CHL_PICKLE_INT)
        snprintf(to, size, "%lld", (long long)v->integer);
    else if (v->kind == CHL_PICKLE_FLOAT) {
        snprintf(to, size, "%.15g", v->real);
        if (strtod(to, NULL) != v->real) snprintf(to, size, "%.17g", v->real);
    } else
        return false;
    return true;
}

static bool print_list(const value *v, char *to, size_t size) {
    size_t length = 0;
    if ((v->kind != CHL_PICKLE_LIST && v->kind != CHL_PICKLE_TUPLE) || v->list.count > LIST_LENGTH)
        return false;
    for (int64_t i = 0; i < v->list.count; i++) {
        char number[32];
        if (!print_number(v->list.item[i], number, sizeof number)) return false;
        const int written = snprintf(to + length, size - length, "%s%s", i ? ", " : "[", number);
        if (written < 0 || (size_t)written + 2 >= size - length) return false;
        length += (size_t)written;
    }
    snprintf(to + length, size - length, v->list.count ? "]" : "[]");
    return true;
}

static void print(const value *v, char to[VALUE_LENGTH]) {
    char shown[CHL_PRINTABLE_LENGTH + 1];
    if (v->kind == CHL_PICKLE_NONE)
        snprintf(to, VALUE_LENGTH, "None");
    else if (v->kind == CHL_PICKLE_TEXT)
        snprintf(to, VALUE_LENGTH, "'%s'", chl_printable(v->bytes.data, v->bytes.size, shown));
    else if (!print_number(v, to, VALUE_LENGTH) && !print_list(v, to, VALUE_LENGTH))
        snprintf(to, VALUE_LENGTH, "<object>");
}

static const value *dict_of(const value *v) {
    return v->kind == CHL_PICKLE_DICT ? v : v->kind == CHL_PICKLE_OBJECT ? v->object.entries : NULL;
}

static chl_status state_one(chl_params *into, const char *name, const value *v, int depth);

static chl_status state_dict(chl_params *into, const char *before, const value *dict, int depth) {
    for (int64_t i = 0; i + 1 < dict->list.count; i += 2) {
        const value *key = dict->list.item[i];
        char shown[CHL_PRINTABLE_LENGTH + 1] = "?", name[2 * CHL_KEY_LENGTH];
        if (key->kind == CHL_PICKLE_TEXT) chl_printable(key->bytes.data, key->bytes.size, shown);
        snprintf(name, sizeof name, "%.*s%s", CHL_KEY_LENGTH + 80, before, shown);
        CHL_TRY(state_one(into, name, dict->list.item[i + 1], depth));
    }
    return CHL_OK;
}

/* Options of options (synthesis_kwargs) are facts each. */
static chl_status state_one(chl_params *into, const char *name, const value *v, int depth) {
    char text[VALUE_LENGTH], inner[2 * CHL_KEY_LENGTH];
    const value *dict = dict_of(v);
    if (dict && depth < MAX_DEPTH) {
        snprintf(inner, sizeof inner, "%.*s.", CHL_KEY_LENGTH + 80, name);
        return state_dict(into, inner, dict, depth + 1);
    }
    print(v, text);
    return chl_params_state(into, name, text);
}

/* `count` attributes of those called `names`, where the module has them. */
static chl_status state_some(chl_params *into, const char *before, const value *attributes,
                             size_t count, const char *const names[]) {
    for (size_t i = 0; i < count; i++) {
        char name[2 * CHL_KEY_LENGTH];
        const value *v = chl_pickle_get(attributes, names[i]);
        if (!v) continue;
        snprintf(name, sizeof name, "%.*s%s", CHL_KEY_LENGTH + 1, before, names[i]);
        CHL_TRY(state_one(into, name, v, MAX_DEPTH));
    }
    return CHL_OK;
}

static chl_status state_attributes(chl_params *into, const char *before, const value *attributes) {
    static const char *const decide[] = {"conv_clamp", "activation",   "use_noise",
                                         "up",         "architecture", "output_scale"};
    /* of a layer with filters of its own; others' padding follows from the size of their kernel */
    static const char *const resampling[] = {"up_factor", "down_factor", "padding"};
    CHL_TRY(state_some(into, before, attributes, sizeof decide / sizeof *decide, decide));
    if (!chl_pickle_get(attributes, "up_factor")) return CHL_OK;
    return state_some(into, before, attributes, sizeof resampling / sizeof *resampling, resampling);
}

chl_status chl_torch_state_facts(const chl_pickle_value *attributes, const char *module,
                                 chl_params *into) {
    char before[CHL_KEY_LENGTH + 2];
    snprintf(before, sizeof before, "%.*s:", CHL_KEY_LENGTH, module);
    const value *unnamed = chl_pickle_get(attributes, "_init_args");
    const value *named = chl_pickle_get(attributes, "_init_kwargs");
    for (int64_t i = 0; unnamed && unnamed->kind == CHL_PICKLE_TUPLE && i < unnamed->list.count;
         i++) {
        char name[CHL_KEY_LENGTH + 32];
        snprintf(name, sizeof name, "%s[%lld]", before, (long long)i);
        CHL_TRY(state_one(into, name, unnamed->list.item[i], 0));
    }
    if (named && dict_of(named)) CHL_TRY(state_dict(into, before, dict_of(named), 0));
    return state_attributes(into, before, attributes);
}

chl_status chl_torch_state_options(const chl_pickle_value *options, chl_params *into) {
    static const char *const decide[] = {"arch", "size", "latent", "n_mlp", "channel_multiplier"};
    return state_some(into, "args:", options, sizeof decide / sizeof *decide, decide);
}

chl_status chl_torch_state_encoder(const chl_pickle_value *options, chl_params *into) {
    static const char *const decide[] = {"encoder_type", "start_from_latent_avg", "dataset_type"};
    return state_some(into, "opts:", options, sizeof decide / sizeof *decide, decide);
}
