/* libFuzzer: no table may crash, hang or leak; what is read lies in the text and ends in it. */
#include "data/csv.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    chl_csv csv;
    bool more = true;
    if (chl_csv_parse(data, size, "fuzz", &csv) != CHL_OK) return 0;
    while (chl_csv_next(&csv, &more) == CHL_OK && more)
        for (int i = 0; i < csv.columns; i++) {
            int value;
            if (csv.field[i] + strlen(csv.field[i]) > csv.end) abort();
            (void)chl_csv_int(&csv, i, 1, 10, &value);
        }
    chl_csv_close(&csv);
    return 0;
}
