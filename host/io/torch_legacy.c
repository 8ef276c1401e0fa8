/* The stream that torch.save wrote before PyTorch 1.6, and that tensors pickled without torch.save
 * still carry:
 *
 *     pickle   the magic number 0x1950a86a20f9469cfc6c
 *     pickle   the protocol, 1001
 *     pickle   a dict about the machine; little_endian must be True
 *     pickle   the object, whose tensors refer to storages by key
 *     pickle   the list of storage keys
 *     then, per key in that order: an int64 number of elements, and the elements
 *
 * The element type of a storage is known only from the references to it in the object. */
#include "io/torch.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[] = {0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};
#define PROTOCOL 1001
#define COUNT_BYTES 8

/* The position of a storage. Rows are sorted by key. */
typedef struct row {
    chl_torch_storage storage;
    const uint8_t *data; /* NULL until the stream was read up to it */
    size_t size;
} row;

typedef struct stream {
    const char *file;
    const uint8_t *at, *end;
    chl_pickle object;
    row *rows;
    int64_t count;
} stream;

static chl_status damaged(const stream *s, const char *what) {
    return chl_fail(CHL_ERR_FORMAT, "%s: %s: the file is damaged, fetch it again", s->file, what);
}

static chl_status next_pickle(stream *s, chl_pickle *out) {
    CHL_TRY(chl_pickle_read(s->at, (size_t)(s->end - s->at), s->file, out));
    s->at += out->consumed;
    return CHL_OK;
}

static bool is_magic(const chl_pickle_value *v) {
    return v->kind == CHL_PICKLE_BIG && v->bytes.size == sizeof magic &&
           memcmp(v->bytes.data, magic, sizeof magic) == 0;
}

bool chl_torch_is_legacy(const uint8_t *data, size_t size) {
    /* the magic number is the first thing of the first pickle, whatever its protocol */
    for (size_t at = 0; at + sizeof magic <= size && at < 24; at++)
        if (memcmp(data + at, magic, sizeof magic) == 0) return true;
    return false;
}

static chl_status read_preamble(stream *s) {
    chl_pickle head = {0};
    CHL_TRY(next_pickle(s, &head));
    bool fine = is_magic(head.root);
    chl_pickle_free(&head);
    if (!fine) return damaged(s, "its magic number is not torch.save's");
    CHL_TRY(next_pickle(s, &head));
    fine = head.root->kind == CHL_PICKLE_INT && head.root->integer == PROTOCOL;
    chl_pickle_free(&head);
    if (!fine) return damaged(s, "its protocol is not 1001");
    CHL_TRY(next_pickle(s, &head));
    const chl_pickle_value *little = chl_pickle_get(head.root, "little_endian");
    fine = little && little->kind == CHL_PICKLE_BOOL && little->integer;
    chl_pickle_free(&head);
    if (!fine)
        return chl_fail(
            CHL_ERR_UNSUPPORTED,
            "%s: was saved on a big-endian machine: save it again on a little-endian one", s->file);
    return CHL_OK;
}

static int by_key(const void *left, const void *right) {
    const chl_pickle_text a = ((const row *)left)->storage.key,
                          b = ((const row *)right)->storage.key;
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* One row per key that the object refers to. Other persistent references (the source code of
 * classes) are ignored. */
static chl_status list_storages(stream *s) {
    int64_t references = 0, kept = 0;
    for (const chl_pickle_value *v = s->object.persistent; v; v = v->persistent.next) references++;
    s->rows = calloc((size_t)references + 1, sizeof *s->rows);
    if (!s->rows) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its storages", s->file);
    for (const chl_pickle_value *v = s->object.persistent; v; v = v->persistent.next) {
        const chl_pickle_value *id = v->persistent.identity;
        if (id->kind == CHL_PICKLE_TUPLE && id->list.count &&
            chl_pickle_is_text(id->list.item[0], "module"))
            continue;
        CHL_TRY(chl_torch_storage_of(v, s->file, &s->rows[s->count++].storage));
    }
    qsort(s->rows, (size_t)s->count, sizeof *s->rows, by_key);
    for (int64_t i = 0; i < s->count; i++)
        if (!kept || by_key(&s->rows[kept - 1], &s->rows[i]) != 0) s->rows[kept++] = s->rows[i];
    s->count = kept;
    return CHL_OK;
}

static row *find_row(const stream *s, chl_pickle_text key) {
    const row wanted = {.storage.key = key};
    return bsearch(&wanted, s->rows, (size_t)s->count, sizeof wanted, by_key);
}

static chl_status place_storages(stream *s) {
    chl_pickle keys = {0};
    CHL_TRY(next_pickle(s, &keys));
    chl_status status = CHL_OK;
    if (keys.root->kind != CHL_PICKLE_LIST)
        status = damaged(s, "the list of its storages is missing");
    for (int64_t i = 0; status == CHL_OK && i < keys.root->list.count; i++) {
        const chl_pickle_value *key = keys.root->list.item[i];
        row *r = key->kind == CHL_PICKLE_TEXT ? find_row(s, key->bytes) : NULL;
        if (!r || r->data)
            status = damaged(s, "a storage is listed twice, or no tensor refers to it");
        else if (s->end - s->at < COUNT_BYTES)
            status = damaged(s, "it ends before its last storage");
        else {
            const uint64_t elements = chl_little(s->at, COUNT_BYTES);
            const uint64_t size = (uint64_t)chl_element_bytes(r->storage.element);
            s->at += COUNT_BYTES;
            if (elements > (uint64_t)(s->end - s->at) / size)
                status = damaged(s, "it ends before its last storage");
            else {
                r->data = s->at;
                r->size = (size_t)(elements * size);
                s->at += r->size;
            }
        }
    }
    chl_pickle_free(&keys);
    return status;
}

static chl_status open_stream(stream *s, const uint8_t *data, size_t size, const char *file) {
    *s = (stream){.file = file, .at = data, .end = data + size};
    CHL_TRY(read_preamble(s));
    CHL_TRY(next_pickle(s, &s->object));
    CHL_TRY(list_storages(s));
    return place_storages(s);
}

static void close_stream(stream *s) {
    free(s->rows);
    chl_pickle_free(&s->object);
}

static chl_status resolve(void *context, chl_pickle_value *reference, const char *file) {
    const stream *s = context;
    chl_torch_storage storage;
    CHL_TRY(chl_torch_storage_of(reference, file, &storage));
    const row *r = find_row(s, storage.key);
    if (!r || !r->data) return damaged(s, "a storage is missing");
    return chl_torch_storage_set(reference, &storage, r->data, r->size, file);
}

chl_status chl_torch_legacy_parse(const uint8_t *data, size_t size, const char *name,
                                  chl_params *into) {
    stream s;
    chl_status status = open_stream(&s, data, size, name);
    if (status == CHL_OK) {
        const chl_torch_source source = {.resolve = resolve, .context = &s, .size = size};
        status = chl_torch_collect(s.object.root, &source, into);
    }
    close_stream(&s);
    return status;
}

chl_status chl_torch_legacy_storage(const uint8_t *data, size_t size, const char *file,
                                    chl_pickle_value *reference, size_t *work) {
    stream s;
    chl_torch_storage storage;
    chl_status status = open_stream(&s, data, size, file);
    *work += (size_t)(s.at - data);
    if (status == CHL_OK) status = chl_torch_storage_of(s.object.root, file, &storage);
    const row *r = status == CHL_OK ? find_row(&s, storage.key) : NULL;
    if (r) *work -= r->size;
    if (status == CHL_OK)
        status = r && r->data ? chl_torch_storage_set(reference, &storage, r->data, r->size, file)
                              : damaged(&s, "a storage is missing");
    close_stream(&s);
    return status;
}
