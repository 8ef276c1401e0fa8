/* Every op, every shape case, forward and backward, on one backend; prints the table of what ran.
 * A row of the op table that no case reached is a failure: blanks are not allowed. */
#include "core/rule.h"
#include "harness/op_test.h"
#include <stdio.h>
#include <string.h>

#define OP_FAMILY(name) extern const op_case_list op_cases_##name;
#include "families.h"
#undef OP_FAMILY

static const struct {
    const char *name;
    const op_case_list *list;
} families[] = {
#define OP_FAMILY(name) {#name, &op_cases_##name},
#include "families.h"
#undef OP_FAMILY
};

static int print_table(const op_coverage *coverage, const char *backend) {
    int blanks = 0;
    printf("%-28s %s: runs over the cases' shapes\n", "op", backend);
    for (int op = 0; op < CHL_OP_COUNT; op++) {
        printf("%-28s %d%s\n", chl_op_name((chl_op)op), coverage->forward[op],
               coverage->forward[op] ? "" : "   <- never ran");
        blanks += coverage->forward[op] == 0;
    }
    return blanks;
}

/* test_ops [family]: one family alone skips the table's completeness */
int main(int argc, char **argv) {
    op_coverage coverage = {0};
    const chl_backend *backend = chl_backend_cpu();
    int cases = 0;
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        if (argc > 1 && strcmp(argv[1], families[f].name) != 0) continue;
        const op_case_list *list = families[f].list;
        for (int i = 0; i < list->count; i++, cases++)
            op_test_run(&list->cases[i], backend, &coverage);
    }
    int blanks = argc > 1 ? 0 : print_table(&coverage, backend->name);
    printf("%d cases, %d failed, %d rows never ran; largest error / allowed: forward %.2f, "
           "gradient %.2f\n",
           cases, coverage.failed, blanks, coverage.worst_forward, coverage.worst_gradient);
    return coverage.failed || blanks || cases == 0;
}
