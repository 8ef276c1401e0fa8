/* libFuzzer: bytes up to the first 0 as a merges file (when it begins with '#' or as gzip does),
 * the rest as a text; a text alone goes to a small tokenizer. */
#include "text/tokenizer.h"
#include <stdlib.h>
#include <string.h>

static void encode(const chl_tokenizer *t, const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    if (!text) abort();
    memcpy(text, data, size);
    text[size] = 0;
    int32_t ids[77];
    int end;
    if (chl_tokenizer_encode(t, text, 77, ids, &end) == CHL_OK) {
        int32_t vocabulary = chl_tokenizer_vocabulary(t);
        if (end < 1 || end > 76 || ids[end] != vocabulary - 1) abort();
        for (int i = 0; i < 77; i++)
            if (ids[i] < 0 || ids[i] >= vocabulary) abort();
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char small[] = "#version: 0.2\na b</w>\nt h\nth e</w>\n";
    static chl_tokenizer *shared;
    if (!shared && chl_tokenizer_open_memory(small, sizeof small - 1, "small", &shared) != CHL_OK)
        abort();
    if (size == 0) return 0;
    if (data[0] != '#' && data[0] != 0x1f) {
        encode(shared, data, size);
        return 0;
    }
    const uint8_t *split = data[0] == '#' ? memchr(data, 0, size) : NULL;
    size_t length = split ? (size_t)(split - data) : size;
    chl_tokenizer *t;
    if (chl_tokenizer_open_memory(data, length, "fuzz", &t) != CHL_OK) return 0;
    encode(t, data + length, size - length);
    chl_tokenizer_free(t);
    return 0;
}
