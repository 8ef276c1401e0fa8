/* Files whose claims are false, that are truncated, or that would run code: each is an error that
 * says so, in short time and with memory in proportion to the file. Parsers get copies of the exact
 * size, so that a sanitizer detects any read beyond them. */
#include "io/weights.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#define FIXTURE(name) CHLADNI_FIXTURES "/weights/" name
#define MAX_SECONDS 120

static chl_status parse(const void *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    chl_params *params;
    assert_int_equal(chl_params_new("test", &params), CHL_OK);
    chl_status status = chl_weights_parse(copy, size, "test", params);
    chl_params_free(params);
    free(copy);
    return status;
}

static void expect(const void *bytes, size_t size, chl_status status, const char *words) {
    chl_status got = parse(bytes, size);
    if (got != status || (status && !strstr(chl_error(), words)))
        fail_msg("status %d, \"%s\"; wanted %d with \"%s\"", got, chl_error(), status, words);
}

/* ---- a growing byte string ---- */

typedef struct bytes {
    uint8_t *data;
    size_t size, capacity;
} bytes;

static void put(bytes *b, const void *data, size_t size) {
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->data = realloc(b->data, b->capacity);
    }
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
}
#define PUT(b, literal) put(b, literal, sizeof(literal) - 1)

static bytes load(const char *path) {
    bytes b = {0};
    uint8_t block[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t n; (n = fread(block, 1, sizeof block, file));) put(&b, block, n);
    fclose(file);
    return b;
}

/* ---- every container ---- */

static const char *const containers[] = {FIXTURE("state.safetensors"), FIXTURE("state_zip.pt"),
                                         FIXTURE("state_zip64.pt"),    FIXTURE("state_legacy.pt"),
                                         FIXTURE("script.pt"),         FIXTURE("nvidia_4.pkl"),
                                         FIXTURE("grid.npy")};

static void a_file_cut_anywhere_is_refused(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++) {
        bytes b = load(containers[i]);
        assert_int_equal(parse(b.data, b.size), CHL_OK);
        for (size_t size = 0; size < b.size; size++)
            if (parse(b.data, size) == CHL_OK)
                fail_msg("%s is accepted when cut to %zu bytes", containers[i], size);
        free(b.data);
    }
}

/* The allowed results for a damaged file: complete arrays, or an error that names the file. */
static void expect_whole_or_named(const bytes *b) {
    uint8_t *copy = malloc(b->size);
    memcpy(copy, b->data, b->size);
    chl_params *params;
    assert_int_equal(chl_params_new("damaged.file", &params), CHL_OK);
    const chl_status status = chl_weights_parse(copy, b->size, "damaged.file", params);
    free(copy); /* arrays are copies: they outlive the file */
    if (status != CHL_OK) {
        assert_true(status == CHL_ERR_FORMAT || status == CHL_ERR_UNSUPPORTED ||
                    status == CHL_ERR_SHAPE || status == CHL_ERR_KEY || status == CHL_ERR_MEMORY);
        if (!strstr(chl_error(), "damaged.file")) fail_msg("no file in \"%s\"", chl_error());
    }
    uint64_t sum = 0;
    for (int64_t i = 0; status == CHL_OK && i < params->count; i++) {
        const chl_array *array = &params->array[i];
        if (array->problem) { /* a name whose array cannot be read */
            assert_null(chl_params_find(params, array->name));
            assert_non_null(strstr(array->problem, "damaged.file"));
            continue;
        }
        assert_ptr_equal(chl_params_find(params, array->name), array);
        assert_in_range(array->desc.rank, 0, CHL_MAX_RANK);
        const int64_t size = chl_bytes(&array->desc);
        assert_true(size >= 0 && array->data);
        for (int64_t k = 0; k < size; k++) sum += ((const uint8_t *)array->data)[k];
    }
    assert_true(sum < UINT64_MAX); /* every byte was read */
    chl_params_free(params);
}

static void a_damaged_byte_gives_whole_arrays_or_an_error_that_names_the_file(void **unused) {
    (void)unused;
    static const uint8_t damage[] = {0xFF, 0x01};
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++) {
        bytes b = load(containers[i]);
        for (size_t at = 0; at < b.size; at++)
            for (size_t k = 0; k < sizeof damage; k++) {
                b.data[at] ^= damage[k];
                expect_whole_or_named(&b);
                b.data[at] ^= damage[k];
            }
        free(b.data);
    }
}

/* ---- safetensors ---- */

static void safetensors(const char *header, size_t data, chl_status status, const char *words) {
    bytes b = {0};
    uint64_t length = strlen(header);
    put(&b, &length, sizeof length);
    put(&b, header, length);
    for (size_t i = 0; i < data; i++) PUT(&b, "\x01");
    chl_status got = parse(b.data, b.size);
    if (got != status || (status && !strstr(chl_error(), words)))
        fail_msg("%s: status %d, \"%s\"; wanted %d with \"%s\"", header, got, chl_error(), status,
                 words);
    free(b.data);
}

#define ROW(name, shape, offsets)                                                                  \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void safetensors_headers_that_lie_are_refused(void **unused) {
    (void)unused;
    const chl_status bad = CHL_ERR_FORMAT;
    safetensors("{}", 0, CHL_OK, "");
    safetensors("{" ROW("a", "[2]", "[0,8]") "}   ", 8, CHL_OK, "");
    safetensors("{" ROW("b", "[1]", "[4,8]") "," ROW("a", "[]", "[0,4]") "}", 8, CHL_OK, "");
    safetensors("{" ROW("a", "[0]", "[0,0]") "," ROW("b", "[0,9]", "[0,0]") "}", 0, CHL_OK, "");
    safetensors("{\"__metadata__\":{\"a\":\"\\ud83d\\ude00\\n\"}," ROW("a", "[1]", "[0,4]") "}", 4,
                CHL_OK, "");
    /* sizes that do not agree */
    safetensors("{" ROW("a", "[3]", "[0,8]") "}", 8, bad, "does not fit");
    safetensors("{" ROW("a", "[4294967296,4294967296]", "[0,0]") "}", 0, bad, "does not fit");
    safetensors("{" ROW("a", "[4611686018427387904,4,0]", "[0,0]") "}", 0, CHL_ERR_SHAPE,
                "impossible");
    safetensors("{" ROW("a", "[2]", "[0,8]") "}", 4, bad, "beyond");
    safetensors("{" ROW("a", "[1]", "[0,4]") "}", 8, bad, "belong to no array");
    safetensors("{" ROW("a", "[1]", "[4,8]") "}", 8, bad, "hole");
    safetensors("{" ROW("a", "[1]", "[8,4]") "}", 8, bad, "hole");
    safetensors("{" ROW("a", "[1]", "[0,4]") "," ROW("b", "[1]", "[0,4]") "}", 4, bad, "overlaps");
    safetensors("{" ROW("a", "[1]", "[0,4]") "," ROW("b", "[2]", "[2,10]") "}", 10, bad,
                "overlaps");
    safetensors("{" ROW("a", "[1]", "[0,18446744073709551615]") "}", 8, bad, "offsets");
    safetensors("{" ROW("a", "[1]", "[0,99999999999999999999]") "}", 8, bad, "offsets");
    safetensors("{" ROW("a", "[-1]", "[0,4]") "}", 4, bad, "not a plain number");
    safetensors("{" ROW("a", "[1.0]", "[0,4]") "}", 4, bad, "does not end");
    safetensors("{" ROW("a", "[1,1,1,1,1,1,1]", "[0,4]") "}", 4, CHL_ERR_UNSUPPORTED, "\"a\"");
    /* twice the same */
    safetensors("{" ROW("a", "[1]", "[0,4]") "," ROW("a", "[1]", "[4,8]") "}", 8, bad,
                "\"a\" occurs twice");
    safetensors("{" ROW("a", "[1]", "[0,4]") "," ROW("\\u0061", "[1]", "[4,8]") "}", 8, bad,
                "twice");
    safetensors("{\"__metadata__\":{},\"__metadata__\":{}}", 0, bad, "twice");
    safetensors("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}",
                4, bad, "twice");
    /* no safetensors at all */
    safetensors("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
                CHL_ERR_UNSUPPORTED, "element type");
    safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, bad, "lacks");
    safetensors("{\"a\":{\"x\":1}}", 0, bad, "unknown");
    safetensors("{\"a\":1}", 0, bad, "object");
    safetensors("{\"__metadata__\":{\"a\":1}}", 0, bad, "not a string");
    safetensors("{\"a", 0, bad, "string");
    safetensors("{\"\\ud800\":1}", 0, bad, "string");
    safetensors("{\"\\x\":1}", 0, bad, "string");
    safetensors("{" ROW("", "[1]", "[0,4]") "}", 4, bad, "empty");
    safetensors("{" ROW("a\\nb", "[1]", "[0,4]") "}", 4, bad, "control");
    safetensors("{" ROW("a", "[1]", "[0,4]") "}x", 4, bad, "follows");
    safetensors("{" ROW("a", "[1]", "[0,4]") ",}", 4, bad, "string");
    safetensors("{", 0, bad, "string");
    expect("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, bad, "claims 9223372036854775807 bytes");
    expect("\x01\xe1\xf5\x05\0\0\0\0{}", 10, bad, "100 MB");
    expect("\x03\0\0\0\0\0\0\0{}", 10, bad, "more than the file has");
    expect("\0\0\0\0\0\0\0\0{}", 10, bad, "start with {");
}

static void safetensors_nesting_and_length_are_bounded(void **unused) {
    (void)unused;
    const size_t depth = 200000;
    char *header = malloc(depth + 64);
    memset(header, '[', depth);
    memcpy(header, "{\"a\":", 5);
    header[depth] = '\0';
    safetensors(header, 0, CHL_ERR_FORMAT, "object");
    memset(header, 'k', depth);
    memcpy(header, "{\"", 2);
    strcpy(header + depth, "\":{\"dtype\":1}}");
    safetensors(header, 0, CHL_ERR_FORMAT, "longer than");
    free(header);
}

/* ---- pickles ---- */

#define PICKLE(literal, words)                                                                     \
    expect("\x80\x02" literal, sizeof("\x80\x02" literal) - 1, CHL_ERR_FORMAT, words)

static void code_in_a_pickle_is_refused_not_run(void **unused) {
    (void)unused;
    char name[] = "/tmp/chladni-executed-XXXXXX", program[256];
    close(mkstemp(name));
    unlink(name);
    static const char *const ways[] = {
        "cos\nsystem\n(S'touch %s'\ntR.",
        "cposix\nsystem\n(S'touch %s'\ntR.",
        "(S'touch %s'\nios\nsystem\n.",
        "(cos\nsystem\nS'touch %s'\no.",
        "cbuiltins\nexec\n(S'import os; os.system(\"touch %s\")'\ntR.",
        "c__builtin__\neval\n(S'touch %s'\ntR.",
        "csubprocess\nPopen\n((S'touch'\nS'%s'\nltR.",
        "U\x02osU\x06system\x93(S'touch %s'\ntR."};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        bytes b = {0};
        PUT(&b, "\x80\x04");
        snprintf(program, sizeof program, ways[i], name);
        put(&b, program, strlen(program));
        expect(b.data, b.size, CHL_ERR_FORMAT, "Nothing was run");
        assert_int_not_equal(access(name, F_OK), 0);
        free(b.data);
    }
    /* a callable that nobody thought of is a name like any other: recorded, never called */
    PICKLE("}U\x01wcnumpy.testing\nrun\n(S'touch x'\ntRs.", "no weights");
}

static void broken_pickle_programs_are_refused(void **unused) {
    (void)unused;
    PICKLE("", "does not end");
    PICKLE(".", "empty stack");
    PICKLE("(.", "empty stack");
    PICKLE("0.", "empty stack");
    PICKLE("N(0.", "no weights");
    PICKLE("R.", "empty stack");
    PICKLE("NNR.", "not a tuple");
    PICKLE("N(b.", "empty stack");
    PICKLE("]u.", "mark is missing");
    PICKLE("(u.", "empty stack");
    PICKLE("](NNu.", "holds none");
    PICKLE("}(Nu.", "without a value");
    PICKLE("(Nd.", "without a value");
    PICKLE("Na.", "empty stack");
    PICKLE("NNa.", "holds none");
    PICKLE("\x86.", "empty stack");
    PICKLE("h\x05.", "never memoized");
    PICKLE("Nr\xff\xff\xff\xff.", "memo index");
    PICKLE("Np99999999999999999999\n.", "memo index");
    PICKLE("Np-1\n.", "memo index");
    PICKLE("q\0.", "empty stack");
    PICKLE("(q\0.", "empty stack");
    PICKLE("X\xff\xff\xff\xff"
           "abc.",
           "inside an operand");
    PICKLE("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
           "abc.",
           "inside an operand");
    PICKLE("\x96\xff\xff\xff\xff\xff\xff\xff\x7f"
           "abc.",
           "inside an operand");
    PICKLE("\x8b\xff\xff\xff\xff"
           "abc.",
           "inside an operand");
    PICKLE("\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "frame");
    PICKLE("Inonsense\n.", "not understood");
    PICKLE("I\n.", "not understood");
    PICKLE("F1.5e\n.", "not understood");
    PICKLE("S'abc\n.", "quoted");
    PICKLE("S'\n.", "quoted");
    PICKLE("cmodule", "does not end");
    PICKLE("NN\x93.", "not a text");
    PICKLE("\x82\x01.", "opcode is unknown");
    PICKLE("\x97.", "opcode is unknown");
    PICKLE("\xff.", "opcode is unknown");
    PICKLE("ccollections\nOrderedDict\n(NtR.", "pairs");
    PICKLE("ccollections\nOrderedDict\n((NltR.", "pairs");
    PICKLE("N.", "no weights");
    PICKLE("K\x05.", "no weights");
    PICKLE("}U\x00K\x01s.", "empty");
    expect("\x80\x04\x80\x09N.", 6, CHL_ERR_FORMAT, "protocol");
    PICKLE("(cdnnlib.tflib.network\nNetwork\n)Rh\0Nt.", "never memoized");
    expect("\x80\x02(cdnnlib.tflib.network\nNetwork\n)RNNt.", 40, CHL_ERR_UNSUPPORTED, "legacy.py");
}

/* A million marks, lists in lists, and dicts in dicts. */
static void deep_nesting_in_pickles_does_no_harm(void **unused) {
    (void)unused;
    bytes b = {0};
    PUT(&b, "\x80\x02");
    for (int i = 0; i < 1000000; i++) PUT(&b, "(");
    expect(b.data, b.size, CHL_ERR_FORMAT, "does not end");
    b.size = 2;
    for (int i = 0; i < 300000; i++) PUT(&b, "]");
    for (int i = 1; i < 300000; i++) PUT(&b, "a");
    PUT(&b, ".");
    expect(b.data, b.size, CHL_ERR_FORMAT, "no weights");
    b.size = 2;
    for (int i = 0; i < 100000; i++) PUT(&b, "}U\x01x");
    PUT(&b, "N");
    for (int i = 0; i < 100000; i++) PUT(&b, "s");
    PUT(&b, ".");
    expect(b.data, b.size, CHL_ERR_FORMAT, "nested deeper");
    free(b.data);
}

/* References that make 2^40 paths out of 400 bytes, and a dict that contains itself. */
static void shared_and_cyclic_references_take_bounded_time(void **unused) {
    (void)unused;
    bytes b = {0};
    PUT(&b, "\x80\x02}q");
    for (int i = 0; i < 40; i++) {
        const uint8_t step[] = {(uint8_t)i, '}', '(', 'U', 1,          'a', 'h', (uint8_t)i,
                                'U',        1,   'b', 'h', (uint8_t)i, 'u', 'q'};
        put(&b, step, sizeof step);
    }
    PUT(&b, "\x28.");
    expect(b.data, b.size, CHL_ERR_FORMAT, "over and over");
    free(b.data);
    PICKLE("}q\0U\x01xh\0s.", "nested deeper");
    /* the state of an object that is its own state */
    PICKLE("c__torch__\nM\n)\x81q\0}U\x01xh\0sb.", "nested deeper");
}

/* ---- tensors, in the legacy stream: the shortest way to a storage ---- */

#define LEGACY_HEAD                                                                                \
    "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."                              \
    "\x80\x02}U\x0dlittle_endian\x88s."
#define STORAGE(class)                                                                             \
    "(U\x07storagec" class "\nU\x01"                                                               \
                           "0U\x03"                                                                \
                           "cpuK\x06NtQ"
#define SIX_FLOATS                                                                                 \
    "\x80\x02]U\x01"                                                                               \
    "0a.\x06\0\0\0\0\0\0\0"                                                                        \
    "aaaabbbbccccddddeeeeffff"

static void tensor(const void *parts, size_t size, chl_status status, const char *words) {
    bytes b = {0};
    PUT(&b, LEGACY_HEAD "\x80\x02}U\x01w");
    put(&b, parts, size);
    /* the stream lists the storages that its object refers to, and no others */
    if (memmem(parts, size, "Storage", 7))
        PUT(&b, "s." SIX_FLOATS);
    else
        PUT(&b, "s.\x80\x02].");
    expect(b.data, b.size, status, words);
    free(b.data);
}

#define FLOAT_STORAGE STORAGE("torch\nFloatStorage")
/* offset, sizes, strides */
#define TENSOR(parts, status, words)                                                               \
    tensor("ctorch._utils\n_rebuild_tensor_v2\n(" FLOAT_STORAGE parts "\x89NtR",                   \
           sizeof("ctorch._utils\n_rebuild_tensor_v2\n(" FLOAT_STORAGE parts "\x89NtR") - 1,       \
           status, words)
#define REBUILD(call, status, words) tensor(call, sizeof(call) - 1, status, words)

static void tensors_beyond_their_storage_are_refused(void **unused) {
    (void)unused;
    const chl_status bad = CHL_ERR_FORMAT;
    TENSOR("K\0K\2K\3\x86K\3K\1\x86", CHL_OK, "");
    TENSOR("K\0K\3K\2\x86K\1K\3\x86", CHL_OK, "");
    TENSOR("K\5))", CHL_OK, "");
    TENSOR("K\0K\0\x85K\1\x85", CHL_OK, "");
    TENSOR("K\0K\1K\6\x86\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\1\x86", CHL_OK, "");
    TENSOR("K\1K\2K\3\x86K\3K\1\x86", bad, "outside its data");
    TENSOR("K\6))", bad, "outside its data");
    TENSOR("J\xff\xff\xff\xff))", bad, "outside its data");
    TENSOR("K\5J\xff\xff\xff\xff\x85K\1\x85", bad, "outside its data");
    TENSOR("K\5K\2\x85J\xff\xff\xff\xff\x85", bad, "outside its data");
    TENSOR("K\0J\xff\xff\xff\x7f\x85K\0\x85", CHL_ERR_UNSUPPORTED, "expanded");
    TENSOR("K\0K\7K\1\x86K\0K\1\x86", CHL_ERR_UNSUPPORTED, "expanded");
    TENSOR("K\0\x8a\x08\0\0\0\0\0\0\0\x40K\4\x86K\4K\1\x86", bad, "outside its data");
    TENSOR("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\2K\2\x86K\1K\1\x86", bad, "outside");
    TENSOR("K\0K\2\x85\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", bad, "outside");
    TENSOR("K\0\x8a\x09\1\1\1\1\1\1\1\1\1\x85K\1\x85", bad, "not a tensor");
    TENSOR("K\0(K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1t", CHL_ERR_UNSUPPORTED,
           "\"w\" has rank 7");
    TENSOR("K\0K\2\x85)", bad, "not a tensor");
    TENSOR("NK\2\x85K\1\x85", bad, "not a tensor");
    TENSOR("K\0K\2K\1", bad, "not a tensor");
    TENSOR("K\0N\x85N\x85", bad, "not a tensor");
    REBUILD("ctorch._utils\n_rebuild_tensor_v2\n)R", bad, "not a tensor");
    REBUILD("ctorch._utils\n_rebuild_tensor_v2\n(NK\0))\x89NtR", bad, "storage");
    REBUILD("ctorch._utils\n_rebuild_parameter\n)R", bad, "not a tensor");
    REBUILD("ctorch._utils\n_rebuild_parameter\n(NtR", bad, "not a tensor");
    REBUILD("ctorch._utils\n_rebuild_qtensor\n)R", CHL_ERR_UNSUPPORTED, "quantised");
    REBUILD("ctorch._tensor\n_rebuild_from_type_v2\n(NNNNtR", bad, "not a tensor");
    REBUILD("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE(
                "torch.storage\nUntypedStorage") "K\0))\x89Nctorch\ncomplex\nNtR",
            CHL_ERR_UNSUPPORTED, "element type");
    REBUILD(
        "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE("torch\nComplexFloatStorage") "K\0))\x89NtR",
        CHL_ERR_UNSUPPORTED, "ComplexFloatStorage");
    REBUILD("ctorch._utils\n_rebuild_tensor_v2\n(NQK\0))\x89NtR", bad, "storage");
}

static void broken_legacy_streams_are_refused(void **unused) {
    (void)unused;
#define STREAM(literal, words) expect(literal, sizeof(literal) - 1, CHL_ERR_FORMAT, words)
#define OBJECT "\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n(" FLOAT_STORAGE "K\0))\x89NtRs."
    STREAM(LEGACY_HEAD "\x80\x02}.\x80\x02].", "no weights");
    STREAM(LEGACY_HEAD OBJECT "\x80\x02].", "storage is missing");
    STREAM(LEGACY_HEAD OBJECT "\x80\x02N.", "list of its storages");
    STREAM(LEGACY_HEAD OBJECT "\x80\x02]U\x01"
                              "1a.\0\0\0\0\0\0\0\0",
           "no tensor refers to");
    STREAM(LEGACY_HEAD OBJECT "\x80\x02]Na.\0\0\0\0\0\0\0\0", "no tensor refers to");
    STREAM(LEGACY_HEAD OBJECT "\x80\x02]U\x01"
                              "0a.\xff\xff\xff\xff\xff\xff\xff\xff",
           "last storage");
    STREAM(LEGACY_HEAD OBJECT "\x80\x02]U\x01"
                              "0a.\2\0\0\0\0\0\0\0aaaabbbb",
           "claims 6 elements");
    STREAM("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02K\x05.", "protocol");
}

/* One storage under thousands of names: the size of the arrays is bounded by that of the file. */
static void one_storage_under_many_names_takes_bounded_memory(void **unused) {
    (void)unused;
    const int elements = 100000;
    bytes b = {0};
    char name[32];
    PUT(&b, LEGACY_HEAD "\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\n"
                        "FloatStorage\nU\x01"
                        "0U\x03"
                        "cpuJ");
    put(&b, &elements, 4);
    PUT(&b, "NtQK\0J");
    put(&b, &elements, 4);
    PUT(&b, "\x85K\1\x85\x89NtRq\0s");
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "U\x04%04dh", i);
        put(&b, name, strlen(name));
        PUT(&b, "\0s");
    }
    PUT(&b, ".\x80\x02]U\x01"
            "0a.");
    put(&b, &elements, 4);
    PUT(&b, "\0\0\0\0");
    for (int i = 0; i < elements; i++) put(&b, &i, 4);
    expect(b.data, b.size, CHL_ERR_FORMAT, "same bytes over and over");
    free(b.data);
}

/* ---- zip ---- */

static size_t find(const bytes *b, const char *signature, size_t after) {
    for (size_t i = after; i + 4 <= b->size; i++)
        if (memcmp(b->data + i, signature, 4) == 0) return i;
    fail_msg("the fixture has no %.2s record", signature);
    return 0;
}

/* Overwrites a field of a record of state_zip.pt. */
static void zip(const char *signature, size_t field, const char *value, size_t size,
                chl_status status, const char *words) {
    bytes b = load(FIXTURE("state_zip.pt"));
    memcpy(b.data + find(&b, signature, 0) + field, value, size);
    expect(b.data, b.size, status, words);
    free(b.data);
}

static void zip_records_that_lie_are_refused(void **unused) {
    (void)unused;
    const chl_status bad = CHL_ERR_FORMAT;
    const char central[] = "PK\x01\x02", end[] = "PK\x05\x06";
    zip(central, 10, "\x08", 1, CHL_ERR_UNSUPPORTED, "compressed");
    zip(central, 8, "\x01", 1, CHL_ERR_UNSUPPORTED, "encrypted");
    zip(central, 20, "\x01\0\0\0", 4, CHL_ERR_UNSUPPORTED, "compressed");
    zip(central, 28, "\xff\xff", 2, bad, "ends too early");
    zip(central, 30, "\xff\xff", 2, bad, "ends too early");
    zip(central, 42, "\x01\0\0\0", 4, bad, "no header");
    zip(central, 42, "\xfe\xff\xff\xff", 4, bad, "outside the file");
    zip(central, 42, "\xff\xff\xff\xff", 4, bad, "zip64");
    zip(central, 46, "x", 1, bad, "is missing");
    zip(central, 46 + strlen("state_zip/"), "x", 1, bad, "no data.pkl");
    zip(end, 10, "\x01\0", 2, bad, "missing");
    zip(end, 10, "\xfe\xff", 2, bad, "directory");
    zip(end, 12, "\xfe\xff\xff\xff", 4, bad, "directory");
    zip(end, 16, "\xfe\xff\xff\xff", 4, bad, "directory");
    /* torch writes the zip64 records too, even where they are not needed */
    zip(end, 16, "\xff\xff\xff\xff", 4, CHL_OK, "");
    zip(end, 20, "\x01\0", 2, bad, "end record");

    bytes b = load(FIXTURE("state_zip.pt"));
    size_t first = find(&b, central, 0), at = find(&b, central, first + 4);
    const size_t name = (size_t)(strlen("state_zip/"));
    while (b.data[at + 46 + name] != 'd' || b.data[at + 46 + name + 5] != '0')
        at = find(&b, central, at + 4);
    memcpy(b.data + at + 24, "\xff\xff\xff\x7f", 4); /* size of data/0 */
    memcpy(b.data + at + 20, "\xff\xff\xff\x7f", 4);
    expect(b.data, b.size, bad, "outside the file");
    free(b.data);
    b = load(FIXTURE("state_zip64.pt"));
    at = find(&b, "PK\x06\x07", 0);
    memset(b.data + at + 8, 0xff, 8);
    expect(b.data, b.size, bad, "zip64 end record");
    b.data[at] = 'x';
    expect(b.data, b.size, bad, "zip64 locator");
    free(b.data);
    expect("PK\x03\x04PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 26, bad, "no data.pkl");
}

static int start_clock(void **unused) {
    (void)unused;
    alarm(MAX_SECONDS); /* a reader that hangs ends the program */
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_damaged_byte_gives_whole_arrays_or_an_error_that_names_the_file),
        cmocka_unit_test(safetensors_headers_that_lie_are_refused),
        cmocka_unit_test(safetensors_nesting_and_length_are_bounded),
        cmocka_unit_test(code_in_a_pickle_is_refused_not_run),
        cmocka_unit_test(broken_pickle_programs_are_refused),
        cmocka_unit_test(deep_nesting_in_pickles_does_no_harm),
        cmocka_unit_test(shared_and_cyclic_references_take_bounded_time),
        cmocka_unit_test(tensors_beyond_their_storage_are_refused),
        cmocka_unit_test(broken_legacy_streams_are_refused),
        cmocka_unit_test(one_storage_under_many_names_takes_bounded_memory),
        cmocka_unit_test(zip_records_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, start_clock, NULL);
}
