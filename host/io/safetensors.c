/* The layout of a safetensors file:
 *
 *     bytes 0-7   header length n, little-endian
 *     8...        {"fc.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}, ...}, padded with
 * spaces 8 + n...    the data, which data_offsets are relative to
 *
 * The header is JSON, but of one fixed form, so it is read by a cursor that accepts only that form:
 * no tree, no recursion, no memory beyond one row per array. The checks are those of the reference
 * implementation, so that no file means different things to different readers: the byte ranges
 * cover the data exactly, and duplicate keys (which JSON readers resolve differently) are errors.
 */
#include "io/safetensors.h"
#include "base/facts.h"
#include "base/text_buffer.h"
#include "io/new_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER 100000000u
#define LENGTH_BYTES 8

typedef struct row {
    char *key;
    uint64_t begin, end; /* bytes, relative to the data section */
    bool deep;           /* more than CHL_MAX_RANK dimensions */
    chl_view view;
} row;

typedef struct reader {
    const char *file;
    chl_params *into;
    const uint8_t *data, *at, *end; /* the file; the cursor in the header, and the header's end */
    row *rows;
    int64_t count, capacity;
} reader;

static chl_status damaged(const reader *r, const char *what) {
    return chl_fail(CHL_ERR_FORMAT, "%s: %s (header byte %zu): the file is damaged, fetch it again",
                    r->file, what, (size_t)(r->at - r->data));
}

static void skip_spaces(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

static bool eat(reader *r, char token) {
    skip_spaces(r);
    if (r->at == r->end || *r->at != (uint8_t)token) return false;
    r->at++;
    return true;
}

static bool eat_hex(reader *r, uint32_t *code) {
    if (r->end - r->at < 4) return false;
    *code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *r->at++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return false;
        *code = *code << 4 | (uint32_t)digit;
    }
    return true;
}

static int utf8_encode(uint32_t code, uint8_t *to) {
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (int i = extra; i > 0; i--, code >>= 6) to[i] = (uint8_t)(0x80 | (code & 0x3F));
    to[0] = (uint8_t)(0xFFu << (7 - extra) | code);
    return extra + 1;
}

/* The character that an escape stands for; the backslash is read already. */
static bool eat_escape(reader *r, uint32_t *code) {
    static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end) return false;
    uint8_t c = *r->at++;
    const char *found = c ? strchr(plain, c) : NULL;
    if (found) {
        *code = (uint8_t)meaning[found - plain];
        return true;
    }
    if (c != 'u' || !eat_hex(r, code)) return false;
    if (*code < 0xD800 || *code > 0xDFFF) return true;
    uint32_t low;
    if (*code > 0xDBFF || r->end - r->at < 2 || *r->at++ != '\\' || *r->at++ != 'u' ||
        !eat_hex(r, &low) || low < 0xDC00 || low > 0xDFFF)
        return false;
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* Unescapes a string into `text`; *size is its whole length, even where it does not fit, so that
 * the caller can compare it with `capacity`. Raw control characters are an error, as in JSON. */
static bool eat_string(reader *r, uint8_t *text, size_t capacity, size_t *size) {
    *size = 0;
    if (!eat(r, '"')) return false;
    while (r->at < r->end && *r->at != '"') {
        uint8_t encoded[4] = {*r->at++};
        int length = 1;
        if (encoded[0] < 0x20) return false;
        if (encoded[0] == '\\') {
            uint32_t code;
            if (!eat_escape(r, &code)) return false;
            length = utf8_encode(code, encoded);
        }
        for (int i = 0; i < length; i++, ++*size)
            if (*size < capacity) text[*size] = encoded[i];
    }
    if (r->at == r->end) return false;
    r->at++;
    return true;
}

static bool eat_number(reader *r, uint64_t *value) {
    skip_spaces(r);
    const uint8_t *first = r->at;
    *value = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*r->at - '0'), value))
            return false;
    return r->at > first && *value <= INT64_MAX;
}

static chl_element element_of(const uint8_t *text, size_t size) {
    static const struct {
        const char *name;
        chl_element element;
    } known[] = {{"F32", CHL_ELEMENT_F32},  {"F16", CHL_ELEMENT_F16}, {"BF16", CHL_ELEMENT_BF16},
                 {"F64", CHL_ELEMENT_F64},  {"I64", CHL_ELEMENT_I64}, {"I32", CHL_ELEMENT_I32},
                 {"I16", CHL_ELEMENT_I16},  {"I8", CHL_ELEMENT_I8},   {"U8", CHL_ELEMENT_U8},
                 {"BOOL", CHL_ELEMENT_BOOL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == size && memcmp(known[i].name, text, size) == 0)
            return known[i].element;
    return CHL_ELEMENT_UNKNOWN;
}

static chl_status read_dtype(reader *r, row *to) {
    uint8_t text[16];
    size_t size;
    if (!eat_string(r, text, sizeof text, &size)) return damaged(r, "a dtype is not a string");
    /* one that is unknown stops who needs the array (chl_view_take) */
    to->view.element = size <= sizeof text ? element_of(text, size) : CHL_ELEMENT_UNKNOWN;
    return CHL_OK;
}

static chl_status read_shape(reader *r, row *to) {
    if (!eat(r, '[')) return damaged(r, "a shape is not a list");
    if (eat(r, ']')) return CHL_OK;
    do {
        uint64_t size;
        if (!eat_number(r, &size)) return damaged(r, "a size in a shape is not a plain number");
        if (to->view.rank == CHL_MAX_RANK)
            to->deep = true;
        else
            to->view.dim[to->view.rank++] = (int64_t)size;
    } while (eat(r, ','));
    return eat(r, ']') ? CHL_OK : damaged(r, "a shape does not end");
}

/* {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}, in any order. */
static chl_status read_row(reader *r, row *to) {
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };
    int seen = 0;
    if (!eat(r, '{')) return damaged(r, "an array is not described by an object");
    do {
        uint8_t field[16] = {0};
        size_t size;
        if (!eat_string(r, field, sizeof field - 1, &size) || !eat(r, ':'))
            return damaged(r, "a field has no name");
        int which = size >= sizeof field                         ? 0
                    : strcmp((char *)field, "dtype") == 0        ? DTYPE
                    : strcmp((char *)field, "shape") == 0        ? SHAPE
                    : strcmp((char *)field, "data_offsets") == 0 ? OFFSETS
                                                                 : 0;
        if (!which || (seen & which)) return damaged(r, "a field is unknown or occurs twice");
        seen |= which;
        if (which == DTYPE) CHL_TRY(read_dtype(r, to));
        if (which == SHAPE) CHL_TRY(read_shape(r, to));
        if (which == OFFSETS && !(eat(r, '[') && eat_number(r, &to->begin) && eat(r, ',') &&
                                  eat_number(r, &to->end) && eat(r, ']')))
            return damaged(r, "data_offsets is not a pair of offsets");
    } while (eat(r, ','));
    if (!eat(r, '}') || seen != (DTYPE | SHAPE | OFFSETS))
        return damaged(r, "an array lacks dtype, shape or data_offsets");
    return CHL_OK;
}

/* Facts of another container are written as metadata with this prefix, and read back. */
#define FACT "chladni "
#define FACT_LENGTH (sizeof FACT - 1)
#define MAX_NOTE 1400 /* bytes of a fact's name */

/* "format" says for which framework the arrays were laid out; what else the metadata says
 * (licences, merge recipes) is not about the network. */
static chl_status take_note(reader *r, const char *key, const char *value) {
    static const char *const other[] = {"tf", "flax", "jax", "mlx"};
    if (strncmp(key, FACT, FACT_LENGTH) == 0)
        return chl_params_state(r->into, key + FACT_LENGTH, value);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcmp(key, "format") == 0 && strcmp(value, other[i]) == 0)
            return chl_fail(CHL_ERR_UNSUPPORTED,
                            "%s: its arrays are laid out for %s, expected PyTorch's layout: "
                            "convert the file with that framework",
                            r->file, value);
    if (strcmp(key, "format") != 0)
        chl_log(CHL_LOG_DEBUG, "%s: the metadata \"%.80s\" is not used", r->file, key);
    return CHL_OK;
}

/* "__metadata__" maps strings to strings. Long ones are texts for people. */
static chl_status read_metadata(reader *r) {
    uint8_t key[MAX_NOTE + 1], value[256];
    size_t size, length;
    if (!eat(r, '{')) return damaged(r, "__metadata__ is not an object");
    if (eat(r, '}')) return CHL_OK;
    do {
        if (!eat_string(r, key, sizeof key, &size) || !eat(r, ':') ||
            !eat_string(r, value, sizeof value, &length))
            return damaged(r, "__metadata__ has a value that is not a string");
        if (size >= sizeof key || length >= sizeof value) {
            if (memcmp(key, FACT, FACT_LENGTH) == 0) return damaged(r, "a setting is too long");
            continue;
        }
        key[size] = value[length] = '\0';
        CHL_TRY(take_note(r, (const char *)key, (const char *)value));
    } while (eat(r, ','));
    return eat(r, '}') ? CHL_OK : damaged(r, "__metadata__ does not end");
}

static chl_status read_entry(reader *r, bool *metadata) {
    uint8_t text[CHL_KEY_LENGTH + 1];
    char key[CHL_KEY_LENGTH + 1];
    size_t size;
    if (!eat_string(r, text, sizeof text, &size) || !eat(r, ':'))
        return damaged(r, "a key is not a string");
    CHL_TRY(chl_key_copy(text, size, r->file, key));
    if (strcmp(key, "__metadata__") == 0) {
        if (*metadata) return damaged(r, "__metadata__ occurs twice");
        *metadata = true;
        return read_metadata(r);
    }
    if (r->count == r->capacity) {
        int64_t capacity = r->capacity ? 2 * r->capacity : 64;
        row *rows = realloc(r->rows, (size_t)capacity * sizeof *rows);
        if (!rows) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its header", r->file);
        r->rows = rows;
        r->capacity = capacity;
    }
    row *to = &r->rows[r->count];
    *to = (row){.key = strdup(key)};
    if (!to->key) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its header", r->file);
    r->count++;
    return read_row(r, to);
}

static chl_status read_header(reader *r) {
    bool metadata = false;
    if (r->at == r->end || *r->at != '{') return damaged(r, "the header does not start with {");
    r->at++;
    if (!eat(r, '}')) {
        do CHL_TRY(read_entry(r, &metadata));
        while (eat(r, ','));
        if (!eat(r, '}')) return damaged(r, "the header does not end with }");
    }
    while (r->at < r->end && *r->at == ' ') r->at++;
    return r->at == r->end ? CHL_OK : damaged(r, "something follows the header");
}

static int by_offset(const void *left, const void *right) {
    const row *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return strcmp(a->key, b->key); /* empty arrays may share an offset */
}

/* In data order, each array starts where the one before ended and the last ends with the file. */
static chl_status place_rows(reader *r, uint64_t available) {
    uint64_t expected = 0;
    if (r->count) qsort(r->rows, (size_t)r->count, sizeof *r->rows, by_offset);
    for (int64_t i = 0; i < r->count; i++) {
        row *to = &r->rows[i];
        uint64_t bytes = (uint64_t)chl_element_bytes(to->view.element);
        if (to->begin != expected || to->end < to->begin || to->end > available)
            return chl_fail(
                CHL_ERR_FORMAT,
                "%s: \"%s\" leaves a hole before it, overlaps another array or reaches "
                "beyond the file (bytes %llu to %llu of %llu): the file is damaged, fetch "
                "it again",
                r->file, to->key, (unsigned long long)to->begin, (unsigned long long)to->end,
                (unsigned long long)available);
        for (int32_t k = 0; k < to->view.rank; k++)
            if (__builtin_mul_overflow(bytes, (uint64_t)to->view.dim[k], &bytes))
                bytes = UINT64_MAX;
        const bool known = to->view.element != CHL_ELEMENT_UNKNOWN && !to->deep;
        if (known && bytes != to->end - to->begin)
            return chl_fail(CHL_ERR_FORMAT,
                            "%s: \"%s\" has a shape that does not fit its %llu bytes: the file is "
                            "damaged, fetch it again",
                            r->file, to->key, (unsigned long long)(to->end - to->begin));
        expected = to->end;
    }
    if (expected != available)
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: %llu bytes at the end belong to no array: the file is damaged, fetch "
                        "it again",
                        r->file, (unsigned long long)(available - expected));
    return CHL_OK;
}

static chl_status take_row(const reader *r, const row *from) {
    if (!from->deep) return chl_view_take(&from->view, from->key, r->into);
    char why[CHL_KEY_LENGTH + 256];
    snprintf(why, sizeof why, "%.200s: \"%s\" has more than %d dimensions", r->file, from->key,
             CHL_MAX_RANK);
    return chl_params_add_unreadable(r->into, from->key, why);
}

chl_status chl_safetensors_parse(const uint8_t *data, size_t size, const char *name,
                                 chl_params *into) {
    chl_status status;
    reader r = {.file = name, .into = into, .data = data};
    const uint64_t length = size < LENGTH_BYTES ? 0 : chl_little(data, LENGTH_BYTES);
    if (size < LENGTH_BYTES || length > MAX_HEADER || length > size - LENGTH_BYTES)
        return chl_fail(
            CHL_ERR_FORMAT,
            "%s: the safetensors header claims %llu bytes, more than the file has or 100 "
            "MB: the file is damaged, fetch it again",
            name, (unsigned long long)length);
    r.at = data + LENGTH_BYTES;
    r.end = r.at + length;
    CHL_TRY_GOTO(read_header(&r));
    CHL_TRY_GOTO(place_rows(&r, size - LENGTH_BYTES - length));
    for (int64_t i = 0; i < r.count; i++) {
        chl_view *view = &r.rows[i].view;
        view->storage = data + LENGTH_BYTES + length + r.rows[i].begin;
        view->storage_bytes = r.rows[i].end - r.rows[i].begin;
        chl_view_pack(view);
        CHL_TRY_GOTO(take_row(&r, &r.rows[i]));
    }
done:
    for (int64_t i = 0; i < r.count; i++) free(r.rows[i].key);
    free(r.rows);
    return status;
}

static const char *dtype_name(chl_dtype dtype, chl_element floats) {
    switch (dtype) {
    case CHL_F32:
        return floats == CHL_ELEMENT_F16 ? "F16" : "F32";
    case CHL_I32:
        return "I32";
    case CHL_BF16:
        return "BF16";
    case CHL_U8:
        return "U8";
    }
    return "F32";
}

static uint64_t bytes_written(const chl_array *array, chl_element floats) {
    const uint64_t bytes = (uint64_t)chl_bytes(&array->desc);
    return array->desc.dtype == CHL_F32 && floats == CHL_ELEMENT_F16 ? bytes / 2 : bytes;
}

static void write_string(chl_text_buffer *to, const char *text) {
    chl_text_add(to, "\"");
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20)
            chl_text_add(to, "\\u%04x", (unsigned)*text);
        else
            chl_text_add(to, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    chl_text_add(to, "\"");
}

static void write_facts(const chl_params *params, chl_text_buffer *to) {
    for (int64_t i = 0; i < params->facts; i++) {
        char key[MAX_NOTE + 1];
        snprintf(key, sizeof key, FACT "%s", params->fact[i].name);
        chl_text_add(to, "%s", i ? "," : "\"__metadata__\":{");
        write_string(to, key);
        chl_text_add(to, ":");
        write_string(to, params->fact[i].value);
    }
    if (params->facts) chl_text_add(to, "}");
}

static void write_header(const chl_params *params, chl_element floats, chl_text_buffer *to) {
    uint64_t offset = 0;
    chl_text_add(to, "{");
    write_facts(params, to);
    for (int64_t i = 0; i < params->count; i++) {
        const chl_array *array = &params->array[i];
        if (i || params->facts) chl_text_add(to, ",");
        write_string(to, array->name);
        chl_text_add(to, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(array->desc.dtype, floats));
        for (int32_t k = 0; k < array->desc.rank; k++)
            chl_text_add(to, "%s%lld", k ? "," : "", (long long)array->desc.dim[k]);
        uint64_t end = offset + bytes_written(array, floats);
        chl_text_add(to, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)offset,
                     (unsigned long long)end);
        offset = end;
    }
    chl_text_add(to, "}");
    while (to->size % 8 != 0 && !to->failed) chl_text_add(to, " "); /* data starts 8-byte aligned */
}

static chl_status write_array(const chl_array *array, chl_element floats, const char *path,
                              FILE *to) {
    if (array->desc.dtype != CHL_F32 || floats != CHL_ELEMENT_F16) {
        fwrite(array->data, 1, (size_t)chl_bytes(&array->desc), to);
        return CHL_OK;
    }
    const float *value = array->data;
    const int64_t count = chl_count(&array->desc);
    for (int64_t i = 0; i < count; i++) {
        const uint16_t half = chl_float_to_half(value[i]);
        if ((half & 0x7FFF) == 0x7C00 && isfinite(value[i]))
            return chl_fail(
                CHL_ERR_NUMERIC,
                "%s: \"%s\" has the value %g, beyond the range of float16 (65504): keep float32",
                path, array->name, (double)value[i]);
        const uint8_t bytes[2] = {(uint8_t)half, (uint8_t)(half >> 8)};
        fwrite(bytes, 1, sizeof bytes, to);
    }
    return CHL_OK;
}

chl_status chl_safetensors_write(const chl_params *params, chl_element floats, const char *path) {
    chl_text_buffer header = {0};
    for (int64_t i = 0; i < params->count; i++)
        if (params->array[i].problem)
            return chl_fail(CHL_ERR_UNSUPPORTED, "%s", params->array[i].problem);
    if (chl_params_find(params, "__metadata__"))
        return chl_fail(
            CHL_ERR_ARGUMENT,
            "%s: an array is called \"__metadata__\", which the format reserves: rename it", path);
    write_header(params, floats, &header);
    CHL_TRY(chl_text_done(&header, path));
    if (header.size > MAX_HEADER) {
        free(header.text);
        return chl_fail(CHL_ERR_ARGUMENT,
                        "%s: its header has %zu bytes, more than 100 MB: write fewer arrays", path,
                        header.size);
    }
    chl_new_file file;
    chl_status status = chl_new_file_begin(path, &file);
    if (status == CHL_OK) {
        uint8_t lead[LENGTH_BYTES];
        for (int i = 0; i < LENGTH_BYTES; i++)
            lead[i] = (uint8_t)((uint64_t)header.size >> (8 * i));
        fwrite(lead, 1, sizeof lead, file.stream);
        fwrite(header.text, 1, header.size, file.stream);
        for (int64_t i = 0; i < params->count && status == CHL_OK; i++)
            status = write_array(&params->array[i], floats, path, file.stream);
        if (status == CHL_OK)
            status = chl_new_file_commit(&file);
        else
            chl_new_file_abandon(&file);
    }
    free(header.text);
    return status;
}
