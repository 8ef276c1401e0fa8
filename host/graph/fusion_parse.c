#include "graph/fusion_parse.h"
#include "graph/graph_private.h"
#include <string.h>

static const struct {
    const char *name, *ops, *same, *elided;
} table[] = {
#define CHL_FUSION(name, ops, same, elided) {#name, ops, same, elided},
#include "fusion_table.h"
#undef CHL_FUSION
};

const char *chl_fusion_name(chl_fusion fusion) {
    return table[fusion].name;
}

static chl_status wrong(const chl_fusion_line *line, const char *word, size_t length,
                        const char *why) {
    return chl_fail(CHL_ERR_INTERNAL, "fusion_table.h, %s: \"%.*s\" %s", line->name, (int)length,
                    word, why);
}

static chl_status parse_op(chl_fusion_line *line, const char *word, size_t length) {
    if (line->count == CHL_MAX_SEQUENCE) return wrong(line, word, length, "is one call too many");
    for (int op = 0; op < CHL_OP_COUNT; op++) {
        const char *name = chl_op_name((chl_op)op);
        if (strlen(name) != length || strncmp(name, word, length) != 0) continue;
        line->op[line->count++] = (chl_op)op;
        return CHL_OK;
    }
    return wrong(line, word, length, "is not an op");
}

/* "1.dx" */
static chl_status parse_slot(const chl_fusion_line *line, const char *word, size_t length,
                             chl_slot *slot) {
    if (length < 3 || word[1] != '.') return wrong(line, word, length, "is not call.slot");
    slot->call = word[0] - '0';
    if (slot->call < 0 || slot->call >= line->count)
        return wrong(line, word, length, "is of a call that the fusion does not have");
    const chl_op op = line->op[slot->call];
    const int in = chl_input_slot(op, word + 2, length - 2);
    const int out = chl_output_slot(op, word + 2, length - 2);
    if (in < 0 && out < 0) return wrong(line, word, length, "is not a slot of that op");
    slot->is_output = in < 0;
    slot->index = in < 0 ? out : in;
    return CHL_OK;
}

/* "0.y=1.x" */
static chl_status parse_pair(chl_fusion_line *line, const char *word, size_t length) {
    const char *equals = memchr(word, '=', length);
    if (!equals) return wrong(line, word, length, "has no =");
    if (line->pairs == CHL_MAX_PAIRS) return wrong(line, word, length, "is one pair too many");
    const size_t left = (size_t)(equals - word);
    chl_slot *pair = line->same[line->pairs++];
    CHL_TRY(parse_slot(line, word, left, &pair[0]));
    return parse_slot(line, equals + 1, length - left - 1, &pair[1]);
}

static chl_status parse_elided(chl_fusion_line *line, const char *word, size_t length) {
    if (line->elides == CHL_MAX_ELIDED)
        return wrong(line, word, length, "is one elided tensor too many");
    return parse_slot(line, word, length, &line->elided[line->elides++]);
}

static chl_status each_word(chl_fusion_line *line, const char *text,
                            chl_status (*parse)(chl_fusion_line *, const char *, size_t)) {
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        const size_t length = strcspn(at, " ");
        CHL_TRY(parse(line, at, length));
        at += length;
    }
    return CHL_OK;
}

/* "OP*", "first" or "last" */
static chl_status parse_any_number(chl_fusion_line *line, const char *ops, const char *same,
                                   const char *elided) {
    const size_t length = strlen(ops) - 1;
    line->any_number = true;
    line->at_last = !strcmp(same, "last");
    CHL_TRY(parse_op(line, ops, length));
    if (!line->at_last && strcmp(same, "first") != 0)
        return wrong(line, same, strlen(same), "is not first or last");
    return *elided ? wrong(line, ops, length, "of any number elides nothing") : CHL_OK;
}

chl_status chl_parse_fusion(const char *name, const char *ops, const char *same, const char *elided,
                            chl_fusion_line *line) {
    *line = (chl_fusion_line){.name = name};
    if (*ops && ops[strlen(ops) - 1] == '*') return parse_any_number(line, ops, same, elided);
    CHL_TRY(each_word(line, ops, parse_op));
    if (line->count < 2) return wrong(line, ops, strlen(ops), "is not a sequence of calls");
    CHL_TRY(each_word(line, same, parse_pair));
    return each_word(line, elided, parse_elided);
}

chl_status chl_parse_fusion_table(chl_fusion_line line[CHL_FUSION_COUNT]) {
    for (int f = 0; f < CHL_FUSION_COUNT; f++)
        CHL_TRY(chl_parse_fusion(table[f].name, table[f].ops, table[f].same, table[f].elided,
                                 &line[f]));
    return CHL_OK;
}
