/* Every op, every shape case, forward and backward, on one backend; prints the table of what ran.
 * A row of the op table that no case reached is a failure: blanks are not allowed. */
#include "graph/rule.h"
#include "harness/op_test.h"
#include "runtime/open.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef TEST_BACKEND_EMU
#include "emu/backend_emu.h"
#define TESTED_DEVICE chl_device_emu()
#define CAN_BE_TOLD false
#define TAKE_WAYS(each) op_test_ways(CHL_EMU_WAYS, each, chl_emu_way)
#else
#define TESTED_DEVICE chl_device_cpu()
#define CAN_BE_TOLD true
#define CHL_EMU_WAYS 1
#define TAKE_WAYS(each) (void)(each) /* there is one */
#endif

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

/* The names on the list of missing bodies; a row is on it exactly when it has none. */
static bool is_pending(const char *list, const char *op) {
    const size_t length = strlen(op);
    for (const char *at = list; at && *at; at = strchr(at, '\n'), at += at != NULL)
        if (strncmp(at, op, length) == 0 && (at[length] == '\n' || at[length] == 0)) return true;
    return false;
}

static char *read_list(const char *path) {
    char *text = calloc(1, 1 << 16);
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file && text) (void)fread(text, 1, (1 << 16) - 1, file);
    if (file) fclose(file);
    return text;
}

static int check_list(chl_device *device, const char *list) {
    int wrong = 0;
    for (int op = 0; op < CHL_OP_COUNT; op++) {
        const char *name = chl_op_name((chl_op)op);
        const bool missing = !device->backend->body((chl_op)op), listed = is_pending(list, name);
        if (missing == listed) continue;
        fprintf(stderr, "FAIL %s: %s\n", name,
                missing ? "has no body and is not on the list of those"
                        : "has a body and is on the list of those without");
        wrong++;
    }
    return wrong;
}

/* A case is known by its name and label: to people, and to the store of references. */
static int check_labels(void) {
    static const op_case *seen[4096];
    int cases = 0, wrong = 0;
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
        for (int i = 0; i < families[f].list->count; i++) {
            const op_case *one = seen[cases++] = &families[f].list->cases[i];
            for (int k = 0; k < cases - 1; k++) {
                if (strcmp(seen[k]->name, one->name) != 0 ||
                    strcmp(seen[k]->label, one->label) != 0)
                    continue;
                fprintf(stderr, "FAIL %s: two cases have the label \"%s\"\n", one->name,
                        one->label);
                wrong++;
            }
        }
    return wrong;
}

static int print_table(const op_coverage *coverage, chl_device *device) {
    int blanks = 0;
    printf("%-28s %s: runs over the cases' shapes\n", "op", device->name);
    for (int op = 0; op < CHL_OP_COUNT; op++) {
        const bool missing = !device->backend->body((chl_op)op);
        const bool blank = coverage->forward[op] == 0 && !missing;
        printf("%-28s %d%s\n", chl_op_name((chl_op)op), coverage->forward[op],
               missing ? "   pending"
               : blank ? "   <- never ran"
                       : "");
        blanks += blank;
    }
    return blanks;
}

static chl_device *open_device(const char *name) {
    const char *why;
    chl_device *device = chl_device_open(name, &why);
    if (!device) fprintf(stderr, "test_ops: %s\n", why);
    return device;
}

static bool run_family(const op_case_list *list, chl_device *device, bool to_first_failure,
                       op_coverage *coverage, int *cases) {
    for (int i = 0; i < list->count; i++) {
        if (!op_test_possible(&list->cases[i], device)) {
            coverage->skipped++;
            continue;
        }
        op_test_run(&list->cases[i], device, coverage);
        (*cases)++;
        if (to_first_failure && coverage->failed) return false;
    }
    return true;
}

/* A family of one row without a gradient rule. */
static bool is_open_family(const char *name) {
    for (int op = 0; op < CHL_OP_COUNT; op++)
        if (strcmp(chl_op_name((chl_op)op), name) == 0) return op_test_is_open((chl_op)op);
    return false;
}

/* Second derivatives on the CPU; the rows named open in op_test.c are those without a rule. */
static int run_second(const char *only) {
    op_coverage coverage = {0};
    int cases = 0, wrong = 0;
    if (!families[0].list->cases[0].second) {
        fprintf(stderr, "test_ops: --second needs references that a C++ compiler built\n");
        return 1;
    }
    for (int op = 0; op < CHL_OP_COUNT; op++) {
        const chl_rule *rule = chl_rule_of((chl_op)op);
        const bool missing = !rule->gradient && !rule->compose;
        if (missing == op_test_is_open((chl_op)op)) continue;
        fprintf(stderr, "FAIL %s: %s\n", chl_op_name((chl_op)op),
                missing ? "has no gradient rule and is not listed as open"
                        : "has a gradient rule and is listed as open");
        wrong++;
    }
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        const op_case_list *list = families[f].list;
        const int skipped = coverage.skipped;
        if (only && strcmp(only, families[f].name) != 0) continue;
        for (int i = 0; i < list->count; i++)
            op_test_second(&list->cases[i], chl_device_cpu(), &coverage);
        cases += list->count;
        if (coverage.skipped - skipped < list->count || is_open_family(families[f].name)) continue;
        fprintf(stderr, "FAIL %s: all its cases are skipped\n", families[f].name);
        wrong++;
    }
    printf("second derivatives: %d cases, %d failed, %d skipped; largest error / allowed %.2f\n",
           cases, coverage.failed, coverage.skipped, coverage.worst_second);
    return coverage.failed || wrong || cases == coverage.skipped;
}

/* test_ops [--device NAME] [--bf16] [--ways|--half-ways] [--first] [--pending LIST] [--second] [family].
 * --device: as chladni's, not on the emulator. --ways: there, in all orders of threads and landings
 * of copies; --half-ways: each case in half of them, in turns, every order among them.
 * --bf16: activations in bf16, where cases say what is one; the rows that never ran are then no
 * failure. One family alone: neither. --first: nothing more after the first case that fails. */
int main(int argc, char **argv) {
    op_coverage coverage = {0};
    chl_device *device = TESTED_DEVICE;
    const char *list_path = NULL, *only = NULL;
    bool half = false, to_first_failure = false, second = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bf16") == 0) {
            op_test_precision(CHL_BF16);
            half = true;
        } else if (strcmp(argv[i], "--ways") == 0)
            TAKE_WAYS(CHL_EMU_WAYS);
        else if (strcmp(argv[i], "--half-ways") == 0)
            TAKE_WAYS(CHL_EMU_WAYS / 2);
        else if (strcmp(argv[i], "--second") == 0)
            second = true;
        else if (strcmp(argv[i], "--first") == 0)
            to_first_failure = true;
        else if (strcmp(argv[i], "--pending") == 0 && i + 1 < argc)
            list_path = argv[++i];
        else if (CAN_BE_TOLD && strcmp(argv[i], "--device") == 0 && i + 1 < argc) {
            device = open_device(argv[++i]);
            if (!device) return 1;
        } else
            only = argv[i];
    }
    if (second) return run_second(only);
    int cases = 0;
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        if (only && strcmp(only, families[f].name) != 0) continue;
        if (!run_family(families[f].list, device, to_first_failure, &coverage, &cases)) break;
    }
    char *list = read_list(list_path);
    const int wrong = (list ? check_list(device, list) : 1) + check_labels();
    free(list);
    int blanks = only || half ? 0 : print_table(&coverage, device);
    printf("%d cases, %d failed, %d skipped for want of a body, %d rows never ran; largest error / "
           "allowed: forward %.2f, gradient %.2f\n",
           cases, coverage.failed, coverage.skipped, blanks, coverage.worst_forward,
           coverage.worst_gradient);
    /* a family may have nothing that may be bf16; no such family is a mistake */
    return coverage.failed || blanks || wrong || cases + coverage.skipped == 0;
}
