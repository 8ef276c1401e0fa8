#include "base/facts.h"
#include <stdlib.h>
#include <string.h>

static chl_status no_memory(const chl_params *params) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its settings", params->source);
}

/* Files state a few hundred facts: a search through all of them is quick enough, and a file that
 * states more than MAX_FACTS is hostile. */
#define MAX_FACTS 8192

chl_status chl_params_state(chl_params *params, const char *name, const char *value) {
    for (int64_t i = params->facts - 1; i >= 0; i--) {
        if (strcmp(params->fact[i].name, name) != 0) continue;
        if (strcmp(params->fact[i].value, value) == 0) return CHL_OK;
        return chl_fail(CHL_ERR_FORMAT, "%s: says both that \"%s\" is %s and that it is %s",
                        params->source, name, params->fact[i].value, value);
    }
    if (params->facts == MAX_FACTS)
        return chl_fail(CHL_ERR_FORMAT, "%s: states more than %d settings: not a checkpoint",
                        params->source, MAX_FACTS);
    if (params->facts == params->fact_capacity) {
        const int64_t capacity = params->fact_capacity ? 2 * params->fact_capacity : 64;
        chl_fact *larger = realloc(params->fact, (size_t)capacity * sizeof *larger);
        if (!larger) return no_memory(params);
        params->fact = larger;
        params->fact_capacity = capacity;
    }
    chl_fact fact = {.name = strdup(name), .value = strdup(value)};
    if (!fact.name || !fact.value) {
        free(fact.name);
        free(fact.value);
        return no_memory(params);
    }
    params->fact[params->facts++] = fact;
    return CHL_OK;
}

void chl_params_drop_facts(chl_params *params, const char *prefix) {
    int64_t kept = 0;
    for (int64_t i = 0; i < params->facts; i++) {
        chl_fact *fact = &params->fact[i];
        if (strncmp(fact->name, prefix, strlen(prefix)) != 0) {
            params->fact[kept++] = *fact;
            continue;
        }
        free(fact->name);
        free(fact->value);
    }
    params->facts = kept;
}

bool chl_fact_number(const chl_fact *fact, double *number) {
    char *end;
    if (strcmp(fact->value, "True") == 0 || strcmp(fact->value, "False") == 0) {
        *number = fact->value[0] == 'T';
        return true;
    }
    *number = strtod(fact->value, &end);
    return end != fact->value && !*end;
}

chl_status chl_fact_refuse(const chl_params *params, const chl_fact *fact, const char *expected) {
    return chl_fail(CHL_ERR_UNSUPPORTED, "%s: states \"%s\" = %s, expected %s", params->source,
                    fact->name, fact->value, expected);
}

chl_status chl_fact_need(const chl_params *params, const chl_fact *fact, const char *expected) {
    return strcmp(fact->value, expected) == 0 ? CHL_OK : chl_fact_refuse(params, fact, expected);
}

chl_status chl_facts_agree(const chl_params *params, const chl_fact **first, const chl_fact *fact) {
    if (!*first) *first = fact;
    if (strcmp((*first)->value, fact->value) == 0) return CHL_OK;
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: states \"%s\" = %s and \"%s\" = %s, expected the same for all layers",
                    params->source, (*first)->name, (*first)->value, fact->name, fact->value);
}

const char *chl_fact_argument(const chl_fact *fact) {
    const char *colon = strrchr(fact->name, ':'), *dot = strrchr(fact->name, '.');
    return dot > colon ? dot + 1 : colon + 1;
}

bool chl_fact_is_one_of(const char *argument, const char *const *list) {
    while (*list && strcmp(argument, *list) != 0) list++;
    return *list != NULL;
}

chl_status chl_fact_is_size(const chl_params *params, const chl_fact *fact) {
    double size;
    return chl_fact_number(fact, &size) ? CHL_OK : chl_fact_refuse(params, fact, "a size");
}

chl_status chl_fact_is_unknown(const chl_params *params, const chl_fact *fact,
                               const char *network) {
    return chl_fail(CHL_ERR_UNSUPPORTED,
                    "%s: states \"%s\" = %s, which is unknown: the network may compute something "
                    "else than %s",
                    params->source, fact->name, fact->value, network);
}
