/* A line of kernels/fusion_table.h, parsed and checked. */
#ifndef CHL_GRAPH_FUSION_PARSE_H
#define CHL_GRAPH_FUSION_PARSE_H
#include "graph/rule.h"

#define CHL_MAX_PAIRS 10
#define CHL_MAX_SEQUENCE 10 /* ops that a line names */
#define CHL_MAX_ELIDED 2

typedef struct chl_slot {
    int call; /* which of the fusion's calls */
    bool is_output;
    int index;
} chl_slot;

typedef struct chl_fusion_line {
    const char *name;
    int count, pairs;
    chl_op op[CHL_MAX_SEQUENCE];
    chl_slot same[CHL_MAX_PAIRS][2]; /* each pair is one tensor */
    int elides;                      /* how many */
    chl_slot elided[CHL_MAX_ELIDED];
    bool any_number, at_last; /* "OP*"; the calls meet at the last of them */
} chl_fusion_line;

/* The three texts of a line as fusion_table.h describes them. CHL_ERR_INTERNAL names the line and
 * the word that is wrong: an op or a slot that does not exist, a call that the line does not have,
 * a pair without "=", more of something than fits, "OP*" without "first" or "last". */
chl_status chl_parse_fusion(const char *name, const char *ops, const char *same, const char *elided,
                            chl_fusion_line *line);
/* All lines of the table, in its order. */
chl_status chl_parse_fusion_table(chl_fusion_line line[CHL_FUSION_COUNT]);
#endif
