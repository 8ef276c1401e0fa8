#include "io/pickle.h"
/* The opcodes of the pickle machine. The format is documented in CPython's Lib/pickletools.py; the
 * letters are the opcodes of protocols 0 and 1, the names those added since. */
#include "io/element.h"
#include "io/pickle_stack.h"
#include <stdlib.h>
#include <string.h>

#define NUMBER_LENGTH 63

enum {
    OP_PROTO = 0x80,
    OP_NEWOBJ,
    OP_EXT1,
    OP_EXT2,
    OP_EXT4,
    OP_TUPLE1,
    OP_TUPLE2,
    OP_TUPLE3,
    OP_NEWTRUE,
    OP_NEWFALSE,
    OP_LONG1,
    OP_LONG4,
    OP_SHORT_BINUNICODE,
    OP_BINUNICODE8,
    OP_BINBYTES8,
    OP_EMPTY_SET,
    OP_ADDITEMS,
    OP_FROZENSET,
    OP_NEWOBJ_EX,
    OP_STACK_GLOBAL,
    OP_MEMOIZE,
    OP_FRAME,
    OP_BYTEARRAY8,
    OP_NEXT_BUFFER,
    OP_READONLY_BUFFER
};

typedef chl_pickle_machine machine;
typedef chl_pickle_value value;

static chl_status take(machine *m, uint64_t count, const uint8_t **bytes) {
    if (count > (uint64_t)(m->end - m->at))
        return chl_pickle_damaged(m, "it ends inside an operand");
    *bytes = m->at;
    m->at += count;
    return CHL_OK;
}

static chl_status take_unsigned(machine *m, int bytes, uint64_t *number) {
    const uint8_t *from = NULL;
    CHL_TRY(take(m, (uint64_t)bytes, &from));
    *number = chl_little(from, bytes);
    return CHL_OK;
}

static chl_status take_line(machine *m, chl_pickle_text *line) {
    const uint8_t *newline = m->at < m->end ? memchr(m->at, '\n', (size_t)(m->end - m->at)) : NULL;
    if (!newline) return chl_pickle_damaged(m, "a line does not end");
    *line = (chl_pickle_text){m->at, (size_t)(newline - m->at)};
    m->at = newline + 1;
    return CHL_OK;
}

/* A line that must be a number, terminated for the C library. */
static chl_status take_number(machine *m, char text[NUMBER_LENGTH + 1]) {
    chl_pickle_text line = {0};
    CHL_TRY(take_line(m, &line));
    if (line.size == 0 || line.size > NUMBER_LENGTH || memchr(line.data, '\0', line.size))
        return chl_pickle_damaged(m, "a number is not understood");
    memcpy(text, line.data, line.size);
    if (text[line.size - 1] == 'L') line.size--;
    text[line.size] = '\0';
    return CHL_OK;
}

static chl_status take_index(machine *m, uint64_t *index) {
    char text[NUMBER_LENGTH + 1], *end;
    CHL_TRY(take_number(m, text));
    *index = strtoull(text, &end, 10);
    return *end || *text < '0' || *text > '9'
               ? chl_pickle_damaged(m, "a memo index is not a number")
               : CHL_OK;
}

static chl_status push_bytes(machine *m, chl_pickle_kind kind, int length_bytes) {
    uint64_t size = 0;
    value *v = NULL;
    CHL_TRY(take_unsigned(m, length_bytes, &size));
    CHL_TRY(chl_pickle_push_new(m, kind, &v));
    v->bytes.size = (size_t)size;
    return take(m, size, &v->bytes.data);
}

static chl_status push_line(machine *m, bool quoted) {
    value *v = NULL;
    CHL_TRY(chl_pickle_push_new(m, CHL_PICKLE_TEXT, &v));
    CHL_TRY(take_line(m, &v->bytes));
    if (!quoted) return CHL_OK;
    if (v->bytes.size < 2 || v->bytes.data[0] != v->bytes.data[v->bytes.size - 1])
        return chl_pickle_damaged(m, "a string is not quoted");
    v->bytes.data++;
    v->bytes.size -= 2;
    return CHL_OK;
}

static chl_status push_integer(machine *m, chl_pickle_kind kind, int64_t number) {
    value *v = NULL;
    CHL_TRY(chl_pickle_push_new(m, kind, &v));
    v->integer = number;
    return CHL_OK;
}

/* Little-endian two's complement of any length. */
static chl_status push_long(machine *m, int length_bytes) {
    uint64_t size = 0;
    const uint8_t *from = NULL;
    CHL_TRY(take_unsigned(m, length_bytes, &size));
    CHL_TRY(take(m, size, &from));
    if (size > 8) {
        value *v = NULL;
        CHL_TRY(chl_pickle_push_new(m, CHL_PICKLE_BIG, &v));
        v->bytes = (chl_pickle_text){from, (size_t)size};
        return CHL_OK;
    }
    uint64_t number = chl_little(from, (int)size);
    if (size && size < 8 && from[size - 1] & 0x80) number |= UINT64_MAX << (8 * size);
    return push_integer(m, CHL_PICKLE_INT, (int64_t)number);
}

static chl_status push_decimal(machine *m, bool may_be_truth) {
    char text[NUMBER_LENGTH + 1], *end;
    CHL_TRY(take_number(m, text));
    if (may_be_truth && (strcmp(text, "00") == 0 || strcmp(text, "01") == 0))
        return push_integer(m, CHL_PICKLE_BOOL, text[1] == '1');
    long long number = strtoll(text, &end, 10);
    if (*end) return chl_pickle_damaged(m, "a number is not understood");
    return push_integer(m, CHL_PICKLE_INT, number);
}

static chl_status push_float(machine *m, bool binary) {
    value *v = NULL;
    CHL_TRY(chl_pickle_push_new(m, CHL_PICKLE_FLOAT, &v));
    if (binary) {
        const uint8_t *from = NULL;
        CHL_TRY(take(m, 8, &from));
        uint64_t bits = __builtin_bswap64(chl_little(from, 8));
        memcpy(&v->real, &bits, sizeof v->real);
        return CHL_OK;
    }
    char text[NUMBER_LENGTH + 1], *end;
    CHL_TRY(take_number(m, text));
    v->real = strtod(text, &end);
    return *end ? chl_pickle_damaged(m, "a number is not understood") : CHL_OK;
}

/* No checkpoint needs these; a pickle that names them was made to run code. The list only serves a
 * clear report: nothing would be run without it either. */
static bool is_dangerous(const value *v) {
    static const char *const modules[] = {
        "os",     "posix", "nt",        "subprocess", "pty",      "socket",    "sys",
        "shutil", "runpy", "importlib", "ctypes",     "commands", "webbrowser"};
    static const char *const builtins[] = {"eval", "exec",  "execfile",   "compile",
                                           "open", "input", "__import__", "breakpoint"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (chl_pickle_is_global(v, modules[i], NULL)) return true;
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (chl_pickle_is_global(v, "builtins", builtins[i]) ||
            chl_pickle_is_global(v, "__builtin__", builtins[i]))
            return true;
    return false;
}

static chl_status make_global(machine *m, chl_pickle_text module, chl_pickle_text name,
                              value **out) {
    CHL_TRY(chl_pickle_make(m, CHL_PICKLE_GLOBAL, out));
    (*out)->global.module = module;
    (*out)->global.name = name;
    if (!is_dangerous(*out)) return CHL_OK;
    char from[CHL_PRINTABLE_LENGTH + 1], what[CHL_PRINTABLE_LENGTH + 1];
    return chl_fail(CHL_ERR_FORMAT,
                    "%s: pickle byte %zu: it names %s.%s: this is not a checkpoint but an attempt "
                    "to run code. Nothing was run. Do not open it with Python; delete it",
                    m->file, (size_t)(m->at - m->start),
                    chl_printable(module.data, module.size, from),
                    chl_printable(name.data, name.size, what));
}

static chl_status push_global(machine *m) {
    chl_pickle_text module = {0}, name = {0};
    value *v = NULL;
    CHL_TRY(take_line(m, &module));
    CHL_TRY(take_line(m, &name));
    CHL_TRY(make_global(m, module, name, &v));
    return chl_pickle_push(m, v);
}

static chl_status push_stack_global(machine *m) {
    value *module = NULL, *name = NULL, *v = NULL;
    CHL_TRY(chl_pickle_pop(m, &name));
    CHL_TRY(chl_pickle_pop(m, &module));
    if (module->kind != CHL_PICKLE_TEXT || name->kind != CHL_PICKLE_TEXT)
        return chl_pickle_damaged(m, "the name of a class is not a text");
    CHL_TRY(make_global(m, module->bytes, name->bytes, &v));
    return chl_pickle_push(m, v);
}

/* OrderedDict(), or OrderedDict([(key, value), ...]) as Python 2 wrote it. */
static chl_status push_ordered(machine *m, const value *arguments) {
    value *dict = NULL;
    CHL_TRY(chl_pickle_push_new(m, CHL_PICKLE_DICT, &dict));
    if (!arguments->list.count) return CHL_OK;
    const value *pairs = arguments->list.item[0];
    if (pairs->kind != CHL_PICKLE_LIST && pairs->kind != CHL_PICKLE_TUPLE)
        return chl_pickle_damaged(m, "an OrderedDict is not made of pairs");
    for (int64_t i = 0; i < pairs->list.count; i++) {
        const value *pair = pairs->list.item[i];
        if ((pair->kind != CHL_PICKLE_LIST && pair->kind != CHL_PICKLE_TUPLE) ||
            pair->list.count != 2)
            return chl_pickle_damaged(m, "an OrderedDict is not made of pairs");
        CHL_TRY(chl_pickle_append(m, dict, pair->list.item, 2));
    }
    return CHL_OK;
}

/* _codecs.encode(text, "latin1"): how protocol 2, which has no byte strings, writes them. Each
 * character of the text is a byte. */
static bool is_byte_string(const value *callee, const value *arguments) {
    return chl_pickle_is_global(callee, "_codecs", "encode") && arguments->list.count == 2 &&
           arguments->list.item[0]->kind == CHL_PICKLE_TEXT &&
           (chl_pickle_is_text(arguments->list.item[1], "latin1") ||
            chl_pickle_is_text(arguments->list.item[1], "latin-1"));
}

static chl_status push_byte_string(machine *m, chl_pickle_text text) {
    value *v = NULL;
    void *memory = NULL;
    CHL_TRY(chl_pickle_claim(m, text.size + 1, &memory));
    CHL_TRY(chl_pickle_push_new(m, CHL_PICKLE_BYTES, &v));
    uint8_t *to = memory;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c >= 0x80) {
            if ((c != 0xC2 && c != 0xC3) || i + 1 == text.size || (text.data[i + 1] & 0xC0) != 0x80)
                return chl_pickle_damaged(m, "a byte string has a character that is no byte");
            c = (uint8_t)(c << 6 | (text.data[++i] & 0x3F));
        }
        *to++ = c;
    }
    v->bytes = (chl_pickle_text){memory, (size_t)(to - (uint8_t *)memory)};
    return CHL_OK;
}

static chl_status push_object(machine *m, value *callee, value *arguments) {
    if (arguments->kind != CHL_PICKLE_TUPLE)
        return chl_pickle_damaged(m, "the arguments of a call are not a tuple");
    if (is_byte_string(callee, arguments))
        return push_byte_string(m, arguments->list.item[0]->bytes);
    if (chl_pickle_is_global(callee, "collections", "OrderedDict"))
        return push_ordered(m, arguments);
    value *v = NULL;
    CHL_TRY(chl_pickle_push_new(m, CHL_PICKLE_OBJECT, &v));
    v->object.callee = callee;
    v->object.arguments = arguments;
    return CHL_OK;
}

/* REDUCE and NEWOBJ: callee, arguments -> object. Keyword arguments (NEWOBJ_EX) are ignored. */
static chl_status reduce(machine *m, bool keywords) {
    value *callee = NULL, *arguments = NULL, *ignored;
    if (keywords) CHL_TRY(chl_pickle_pop(m, &ignored));
    CHL_TRY(chl_pickle_pop(m, &arguments));
    CHL_TRY(chl_pickle_pop(m, &callee));
    return push_object(m, callee, arguments);
}

/* INST names the class in the stream, OBJ has it as the first value after the mark. */
static chl_status instance(machine *m, bool named) {
    value *callee = NULL, *arguments = NULL, **items = NULL;
    int64_t count = 0;
    if (named) {
        CHL_TRY(push_global(m));
        CHL_TRY(chl_pickle_pop(m, &callee));
    }
    CHL_TRY(chl_pickle_pop_mark(m, &items, &count));
    if (!named) {
        if (!count) return chl_pickle_damaged(m, "an object has no class");
        callee = *items++;
        count--;
    }
    CHL_TRY(chl_pickle_make(m, CHL_PICKLE_TUPLE, &arguments));
    CHL_TRY(chl_pickle_append(m, arguments, items, count));
    return push_object(m, callee, arguments);
}

static chl_status build(machine *m) {
    value *state = NULL, *target = NULL;
    CHL_TRY(chl_pickle_pop(m, &state));
    CHL_TRY(chl_pickle_pop(m, &target));
    if (target->kind == CHL_PICKLE_OBJECT) target->object.state = state;
    return chl_pickle_push(m, target);
}

static chl_status push_persistent(machine *m, bool text) {
    value *identity = NULL, *v = NULL;
    if (text) CHL_TRY(push_line(m, false));
    CHL_TRY(chl_pickle_pop(m, &identity));
    CHL_TRY(chl_pickle_push_new(m, CHL_PICKLE_PERSISTENT, &v));
    v->persistent.identity = identity;
    v->persistent.next = m->persistent;
    m->persistent = v;
    return CHL_OK;
}

static chl_status push_collected(machine *m, chl_pickle_kind kind) {
    value *v = NULL, **items = NULL;
    int64_t count = 0;
    CHL_TRY(chl_pickle_pop_mark(m, &items, &count));
    if (kind == CHL_PICKLE_DICT && count % 2)
        return chl_pickle_damaged(m, "a dict has a key without a value");
    CHL_TRY(chl_pickle_make(m, kind, &v));
    CHL_TRY(chl_pickle_append(m, v, items, count));
    return chl_pickle_push(m, v);
}

static chl_status push_short_tuple(machine *m, int64_t count) {
    value *v = NULL;
    if (chl_pickle_reachable(m) < count)
        return chl_pickle_damaged(m, "it pops from an empty stack");
    CHL_TRY(chl_pickle_make(m, CHL_PICKLE_TUPLE, &v));
    m->depth -= count;
    CHL_TRY(chl_pickle_append(m, v, m->stack + m->depth, count));
    return chl_pickle_push(m, v);
}

/* Adds the items to the container below them. Items of list-like objects are ignored: no walker
 * reads them. */
static chl_status extend(machine *m, value **items, int64_t count, bool pairs) {
    if (chl_pickle_reachable(m) < 1) return chl_pickle_damaged(m, "it pops from an empty stack");
    value *target = m->stack[m->depth - 1];
    if (pairs && count % 2) return chl_pickle_damaged(m, "a dict has a key without a value");
    if (target->kind == CHL_PICKLE_OBJECT) {
        if (!pairs) return CHL_OK;
        if (!target->object.entries)
            CHL_TRY(chl_pickle_make(m, CHL_PICKLE_DICT, &target->object.entries));
        return chl_pickle_append(m, target->object.entries, items, count);
    }
    if (target->kind != (pairs ? CHL_PICKLE_DICT : CHL_PICKLE_LIST))
        return chl_pickle_damaged(m, "it adds items to something that holds none");
    return chl_pickle_append(m, target, items, count);
}

static chl_status extend_marked(machine *m, bool pairs) {
    value **items = NULL;
    int64_t count = 0;
    CHL_TRY(chl_pickle_pop_mark(m, &items, &count));
    return extend(m, items, count, pairs);
}

static chl_status extend_short(machine *m, int64_t count) {
    if (chl_pickle_reachable(m) < count + 1)
        return chl_pickle_damaged(m, "it pops from an empty stack");
    m->depth -= count;
    return extend(m, m->stack + m->depth, count, count == 2);
}

/* POP removes a MARK where one is on top, as in Python. */
static chl_status pop_any(machine *m) {
    value *ignored;
    if (m->marks && chl_pickle_reachable(m) == 0) {
        m->marks--;
        return CHL_OK;
    }
    return chl_pickle_pop(m, &ignored);
}

static chl_status duplicate(machine *m) {
    if (chl_pickle_reachable(m) < 1) return chl_pickle_damaged(m, "it pops from an empty stack");
    return chl_pickle_push(m, m->stack[m->depth - 1]);
}

static chl_status memoize(machine *m, uint8_t op) {
    uint64_t index = (uint64_t)m->memoized;
    if (op == 'p' || op == 'g') CHL_TRY(take_index(m, &index));
    if (op == 'q' || op == 'h') CHL_TRY(take_unsigned(m, 1, &index));
    if (op == 'r' || op == 'j') CHL_TRY(take_unsigned(m, 4, &index));
    return op == 'g' || op == 'h' || op == 'j' ? chl_pickle_memo_get(m, index)
                                               : chl_pickle_memo_put(m, index);
}

static chl_status step(machine *m) {
    const uint8_t op = *m->at++;
    value *v = NULL, **items = NULL;
    int64_t count = 0;
    uint64_t number = 0;
    switch (op) {
    case OP_PROTO:
        CHL_TRY(take_unsigned(m, 1, &number));
        return number <= 5 ? CHL_OK : chl_pickle_damaged(m, "its protocol is unknown");
    case OP_FRAME:
        CHL_TRY(take_unsigned(m, 8, &number));
        return number <= (uint64_t)(m->end - m->at) ? CHL_OK
                                                    : chl_pickle_damaged(m, "a frame is cut short");
    case '.':
        m->stopped = true;
        return CHL_OK;
    case '(':
        return chl_pickle_open_mark(m);
    case '0':
        return pop_any(m);
    case '1':
        return chl_pickle_pop_mark(m, &items, &count);
    case '2':
        return duplicate(m);

    case 'N':
        return chl_pickle_push_new(m, CHL_PICKLE_NONE, &v);
    case OP_NEWTRUE:
        return push_integer(m, CHL_PICKLE_BOOL, 1);
    case OP_NEWFALSE:
        return push_integer(m, CHL_PICKLE_BOOL, 0);
    case 'K':
        CHL_TRY(take_unsigned(m, 1, &number));
        return push_integer(m, CHL_PICKLE_INT, (int64_t)number);
    case 'M':
        CHL_TRY(take_unsigned(m, 2, &number));
        return push_integer(m, CHL_PICKLE_INT, (int64_t)number);
    case 'J':
        CHL_TRY(take_unsigned(m, 4, &number));
        return push_integer(m, CHL_PICKLE_INT, (int32_t)(uint32_t)number);
    case 'I':
        return push_decimal(m, true);
    case 'L':
        return push_decimal(m, false);
    case OP_LONG1:
        return push_long(m, 1);
    case OP_LONG4:
        return push_long(m, 4);
    case 'F':
        return push_float(m, false);
    case 'G':
        return push_float(m, true);

    case 'S':
        return push_line(m, true);
    case 'V':
        return push_line(m, false);
    case 'U':
    case OP_SHORT_BINUNICODE:
        return push_bytes(m, CHL_PICKLE_TEXT, 1);
    case 'T':
    case 'X':
        return push_bytes(m, CHL_PICKLE_TEXT, 4);
    case OP_BINUNICODE8:
        return push_bytes(m, CHL_PICKLE_TEXT, 8);
    case 'C':
        return push_bytes(m, CHL_PICKLE_BYTES, 1);
    case 'B':
        return push_bytes(m, CHL_PICKLE_BYTES, 4);
    case OP_BINBYTES8:
    case OP_BYTEARRAY8:
        return push_bytes(m, CHL_PICKLE_BYTES, 8);

    case ')':
        return chl_pickle_push_new(m, CHL_PICKLE_TUPLE, &v);
    case ']':
    case OP_EMPTY_SET:
        return chl_pickle_push_new(m, CHL_PICKLE_LIST, &v);
    case '}':
        return chl_pickle_push_new(m, CHL_PICKLE_DICT, &v);
    case 't':
        return push_collected(m, CHL_PICKLE_TUPLE);
    case 'l':
    case OP_FROZENSET:
        return push_collected(m, CHL_PICKLE_LIST);
    case 'd':
        return push_collected(m, CHL_PICKLE_DICT);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        return push_short_tuple(m, op - OP_TUPLE1 + 1);
    case 'a':
        return extend_short(m, 1);
    case 's':
        return extend_short(m, 2);
    case 'e':
    case OP_ADDITEMS:
        return extend_marked(m, false);
    case 'u':
        return extend_marked(m, true);

    case 'c':
        return push_global(m);
    case OP_STACK_GLOBAL:
        return push_stack_global(m);
    case 'R':
    case OP_NEWOBJ:
        return reduce(m, false);
    case OP_NEWOBJ_EX:
        return reduce(m, true);
    case 'i':
        return instance(m, true);
    case 'o':
        return instance(m, false);
    case 'b':
        return build(m);
    case 'P':
        return push_persistent(m, true);
    case 'Q':
        return push_persistent(m, false);

    case 'p':
    case 'q':
    case 'r':
    case 'g':
    case 'h':
    case 'j':
    case OP_MEMOIZE:
        return memoize(m, op);
    default:
        m->at--;
        return chl_pickle_damaged(m, "an opcode is unknown");
    }
}

chl_status chl_pickle_read(const uint8_t *data, size_t size, const char *name, chl_pickle *out) {
    chl_status status = CHL_OK;
    machine m;
    chl_pickle_machine_start(&m, data, size, name);
    *out = (chl_pickle){0};
    while (!m.stopped && status == CHL_OK)
        status = m.at < m.end ? step(&m) : chl_pickle_damaged(&m, "it does not end");
    if (status == CHL_OK) status = chl_pickle_pop(&m, &out->root);
    out->persistent = m.persistent;
    out->consumed = (size_t)(m.at - m.start);
    out->arena = m.arena;
    chl_pickle_machine_stop(&m);
    if (status != CHL_OK) chl_pickle_free(out);
    return status;
}

void chl_pickle_free(chl_pickle *pickle) {
    chl_pickle_arena_free(pickle->arena);
    *pickle = (chl_pickle){0};
}
