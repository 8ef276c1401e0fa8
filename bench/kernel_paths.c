#include "kernel_paths.h"
#include "graph/graph_private.h"
#include "kernels.h"
#include <string.h>

/* The names of the op's paths; NULL where it has one way. */
static const char *paths_of(const chl_device *device, int op) {
    const chl_backend *backend = device->backend;
    const chl_paths *paths = backend->paths ? backend->paths((chl_op)op) : NULL;
    return paths ? paths->names : NULL;
}

static bool is_chosen(op_choice ops, int op) {
    const char *name = chl_op_name((chl_op)op);
    return ops.names ? chl_word_number(ops.names, name) >= 0 : kernel_matches(ops.pattern, name);
}

/* Whether an earlier one of the ops has the same list. */
static bool is_listed(const chl_device *device, op_choice ops, int before, const char *names) {
    for (int op = 0; op < before; op++) {
        const char *others = paths_of(device, op);
        if (others && is_chosen(ops, op) && strcmp(others, names) == 0) return true;
    }
    return false;
}

chl_status kernel_paths_check(chl_device *device, op_choice ops, const char *name) {
    char known[512] = "";
    size_t used = 0;
    for (int op = 0; op < CHL_OP_COUNT; op++) {
        const char *names = paths_of(device, op);
        if (!names || !is_chosen(ops, op)) continue;
        if (chl_word_number(names, name) >= 0) return CHL_OK;
        if (used < sizeof known && !is_listed(device, ops, op, names))
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s: %s",
                                     used ? "; " : "", chl_op_name((chl_op)op), names);
    }
    if (!used)
        return chl_fail(CHL_ERR_ARGUMENT, "%s computes \"%s\" in one way: there is no path %s",
                        device->name,
                        ops.names     ? ops.names
                        : ops.pattern ? ops.pattern
                                      : "",
                        name);
    return chl_fail(CHL_ERR_ARGUMENT, "no path is called \"%s\" on %s; there are %s", name,
                    device->name, known);
}

void kernel_paths_print(chl_device *device, FILE *to) {
    fprintf(to, "\npaths on %s, for --path:\n", device->name);
    for (int op = 0; op < CHL_OP_COUNT; op++)
        if (paths_of(device, op))
            fprintf(to, "  %-26s %s\n", chl_op_name((chl_op)op), paths_of(device, op));
}
