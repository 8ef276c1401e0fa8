#include "command.h"
#include <stdio.h>

int command_info(int argc, char **argv) {
    bool json = false;
    const option options[] = {
        {"json", NULL, OPTION_FLAG, &json, NULL, "print JSON on stdout", NULL},
    };
    command_line line = {.usage = "info [--json]",
                         .about = "Prints the version, libraries and devices of this build.",
                         .options = options,
                         .count = sizeof options / sizeof options[0]};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    if (json)
        return print_json(
            json_pack("{s:s,s:o}", "version", chl_version(), "build", json_text(chl_build_info())),
            REPORT_DIGITS);
    printf("chladni %s\n%s\n", chl_version(), chl_build_info());
    return EXIT_OK;
}
