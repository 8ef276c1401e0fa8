/* NumPy's .npy format [numpy.lib.format, NEP 1]:
 *
 *     bytes 0-5   "\x93NUMPY"
 *     6, 7        format version: 1.0 or 2.0
 *     8...        header length, little-endian: 2 bytes in version 1, 4 in version 2
 *     then        {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   padded with spaces,
 *                 a newline at the end, so that the elements start at a multiple of 64
 *     then        the elements
 *
 * numpy evaluates the header as a Python literal. This reader accepts exactly the three keys, in
 * any order, and nothing else: no structured types, no objects (which numpy would unpickle), at
 * most CHL_MAX_RANK dimensions. */
#include "io/npy.h"
#include "base/file_bytes.h"
#include "io/element.h"
#include "io/new_file.h"
#include <stdlib.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
#define MAGIC_LENGTH 6
/* What the 2-byte length of version 1 can express; an array of plain numbers needs 128. */
#define MAX_HEADER 65535

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_spaces(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) c->at++;
}

static bool eat(cursor *c, const char *token) {
    skip_spaces(c);
    size_t length = strlen(token);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, token, length) != 0) return false;
    c->at += length;
    return true;
}

/* A quoted string without escapes; false when it is longer than `capacity` - 1. */
static bool eat_string(cursor *c, char *text, size_t capacity) {
    skip_spaces(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    const char *close = memchr(c->at + 1, *c->at, (size_t)(c->end - c->at - 1));
    if (!close || (size_t)(close - c->at) > capacity) return false;
    size_t length = (size_t)(close - c->at - 1);
    memcpy(text, c->at + 1, length);
    text[length] = '\0';
    c->at = close + 1;
    return memchr(text, '\\', length) == NULL;
}

static bool eat_size(cursor *c, int64_t *value) {
    skip_spaces(c);
    const char *first = c->at;
    *value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *c->at - '0', value))
            return false;
    if (c->at == first) return false;
    if (c->at < c->end && *c->at == 'L') c->at++; /* Python 2 wrote long integers so */
    return true;
}

static bool eat_shape(cursor *c, chl_view *view) {
    if (!eat(c, "(")) return false;
    while (!eat(c, ")")) {
        if (view->rank == CHL_MAX_RANK || !eat_size(c, &view->dim[view->rank])) return false;
        view->rank++;
        if (!eat(c, ",")) return eat(c, ")");
    }
    return true;
}

/* '<' and '>' are the byte orders, '|' is none. */
static chl_element element_of(const char *descr) {
    static const struct {
        const char *descr;
        chl_element element;
    } known[] = {{"<f4", CHL_ELEMENT_F32}, {"<f8", CHL_ELEMENT_F64}, {"<f2", CHL_ELEMENT_F16},
                 {"<i4", CHL_ELEMENT_I32}, {"<i8", CHL_ELEMENT_I64}, {"<i2", CHL_ELEMENT_I16},
                 {"|i1", CHL_ELEMENT_I8},  {"|u1", CHL_ELEMENT_U8},  {"|b1", CHL_ELEMENT_BOOL}};
    const char first = descr[0] == '>' ? '<' : descr[0];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (first == known[i].descr[0] && strcmp(descr + 1, known[i].descr + 1) == 0)
            return known[i].element;
    return CHL_ELEMENT_UNKNOWN;
}

static bool eat_header(cursor *c, chl_view *view, char *descr, size_t capacity, bool *fortran) {
    bool seen_descr = false, seen_order = false, seen_shape = false;
    if (!eat(c, "{")) return false;
    while (!eat(c, "}")) {
        char key[16];
        if (!eat_string(c, key, sizeof key) || !eat(c, ":")) return false;
        if (strcmp(key, "descr") == 0 && !seen_descr)
            seen_descr = eat_string(c, descr, capacity);
        else if (strcmp(key, "fortran_order") == 0 && !seen_order)
            seen_order = (*fortran = eat(c, "True")) || eat(c, "False");
        else if (strcmp(key, "shape") == 0 && !seen_shape)
            seen_shape = eat_shape(c, view);
        else
            return false;
        if (!eat(c, ",")) {
            if (!eat(c, "}")) return false;
            break;
        }
    }
    skip_spaces(c);
    return seen_descr && seen_order && seen_shape && c->at == c->end;
}

/* Copies a view of big-endian elements, by way of a little-endian copy of them all. */
static chl_status copy_swapped(const chl_view *view, const char *key, chl_params *into) {
    const size_t each = (size_t)chl_element_bytes(view->element);
    const size_t size = view->storage_bytes / each * each;
    uint8_t *swapped = malloc(size ? size : 1);
    if (!swapped) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", into->source);
    for (size_t i = 0; i < size; i++)
        swapped[i] = view->storage[i / each * each + (each - 1 - i % each)];
    chl_view little = *view;
    little.storage = swapped;
    little.storage_bytes = size;
    const chl_status status = chl_view_copy(&little, key, into);
    free(swapped);
    return status;
}

chl_status chl_npy_parse(const uint8_t *data, size_t size, const char *name, chl_params *into) {
    return chl_npy_parse_as(CHL_UNNAMED_ARRAY, data, size, name, into);
}

chl_status chl_npy_parse_as(const char *key, const uint8_t *data, size_t size, const char *name,
                            chl_params *into) {
    if (size < MAGIC_LENGTH + 4 || memcmp(data, MAGIC, MAGIC_LENGTH) != 0)
        return chl_fail(CHL_ERR_FORMAT, "%s: is not a NumPy .npy file", name);
    const int version = data[MAGIC_LENGTH], length_bytes = version == 1 ? 2 : 4;
    const size_t start = MAGIC_LENGTH + 2 + (size_t)length_bytes;
    if (version < 1 || version > 2)
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "%s: .npy format version %d is not supported, expected 1 or 2: save it with "
            "numpy.save",
            name, version);
    if (size < start)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: ends inside the .npy header: the file is damaged, fetch it again",
                        name);
    const uint64_t length = chl_little(data + MAGIC_LENGTH + 2, length_bytes);
    if (length > MAX_HEADER || length > size - start)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: the .npy header claims %llu bytes, %zu are left in the file and %d "
                        "allowed: the file "
                        "is damaged, fetch it again",
                        name, (unsigned long long)length, size - start, MAX_HEADER);
    chl_view view = {.storage = data + start + length, .storage_bytes = size - start - length};
    char descr[16] = "";
    bool fortran = false;
    cursor c = {(const char *)data + start, (const char *)data + start + length};
    if (!eat_header(&c, &view, descr, sizeof descr, &fortran))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: the .npy header is not understood at byte %zu (at most %d dimensions, "
                        "plain numbers only): save a float32 array with numpy.save",
                        name, (size_t)((const uint8_t *)c.at - data), CHL_MAX_RANK);
    view.element = element_of(descr);
    if (view.element == CHL_ELEMENT_UNKNOWN) {
        char shown[CHL_PRINTABLE_LENGTH + 1];
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: elements of type \"%s\" are not supported: convert to float32 with "
                        "array.astype('<f4')",
                        name, chl_printable((const uint8_t *)descr, strlen(descr), shown));
    }
    chl_view_pack(&view);
    if (fortran) {
        int64_t stride = 1;
        for (int32_t i = 0; i < view.rank; i++) {
            view.stride[i] = stride;
            if (__builtin_mul_overflow(stride, view.dim[i] ? view.dim[i] : 1, &stride))
                stride = INT64_MAX;
        }
    }
    return descr[0] == '>' ? copy_swapped(&view, key, into) : chl_view_copy(&view, key, into);
}

chl_status chl_npy_read(const char *path, chl_desc *desc, void **data) {
    chl_status status;
    chl_file_bytes file = {0};
    chl_params *params = NULL;
    *data = NULL;
    CHL_TRY_GOTO(chl_file_bytes_read(path, &(chl_file_rules){0}, &file));
    CHL_TRY_GOTO(chl_params_new(path, &params));
    CHL_TRY_GOTO(chl_npy_parse(file.data, file.size, path, params));
    *desc = params->array[0].desc;
    *data = params->array[0].data;
    params->array[0].data = NULL;
done:
    chl_params_free(params);
    chl_file_bytes_free(&file);
    return status;
}

static const char *descr_of(chl_dtype dtype) {
    switch (dtype) {
    case CHL_F32:
        return "<f4";
    case CHL_I32:
        return "<i4";
    case CHL_U8:
        return "|u1";
    case CHL_BF16:
        break;
    }
    return NULL;
}

chl_status chl_npy_write(const char *path, const chl_desc *desc, const void *data) {
    const char *descr = descr_of(desc->dtype);
    size_t bytes;
    CHL_TRY(chl_check_size(path, CHL_UNNAMED_ARRAY, desc, &bytes));
    if (!descr)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: .npy has no type for bfloat16: write float32",
                        path);
    char header[512];
    const size_t prefix = MAGIC_LENGTH + 4;
    int length = snprintf(header, sizeof header,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int32_t i = 0; i < desc->rank; i++)
        length += snprintf(header + length, sizeof header - (size_t)length, "%lld,%s",
                           (long long)desc->dim[i], i + 1 < desc->rank ? " " : "");
    length += snprintf(header + length, sizeof header - (size_t)length, "), }");
    /* the elements start at a multiple of 64, the byte before them is a newline */
    while ((prefix + (size_t)length + 1) % 64) header[length++] = ' ';
    header[length++] = '\n';
    /* the length fits two bytes: six sizes of at most 20 digits make a header of 256 */
    const uint8_t lead[] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)length, (uint8_t)(length >> 8)};
    chl_new_file file;
    CHL_TRY(chl_new_file_begin(path, &file));
    fwrite(lead, 1, sizeof lead, file.stream);
    fwrite(header, 1, (size_t)length, file.stream);
    fwrite(data, 1, bytes, file.stream);
    return chl_new_file_commit(&file);
}
