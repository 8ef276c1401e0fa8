#include "io/number_cache.h"
#include "base/clock.h"
#include "base/free.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING ".kept"
#define MAX_COUNT (1 << 24)
#define REFRESH 1.0 /* seconds between looks at the folder */

typedef struct record_head {
    char mark[4];
    uint32_t count;
    uint8_t key[CHL_SHA256_BYTES];
} record_head;

typedef struct place {
    uint8_t key[CHL_SHA256_BYTES];
    int64_t at; /* of the numbers */
    int32_t file;
    uint32_t count; /* 0: an empty slot */
} place;

typedef struct file {
    char *name;
    int descriptor;
    int64_t read; /* bytes whose records are known */
} file;

struct chl_number_cache {
    char *folder;
    file *file;
    int files;
    int own; /* to which is added; -1: not yet */
    place *slot;
    int64_t slots, used; /* slots: a power of two, > 2 used */
    double looked;
};

static chl_status no_memory(const chl_number_cache *k) {
    return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for what it keeps", k->folder);
}

/* --- places ----------------------------------------------------------------------------------- */
/* The slot of the key, or the empty one that it would take. */
static place *slot_of(const chl_number_cache *k, const uint8_t *key) {
    uint64_t hash;
    memcpy(&hash, key, sizeof hash);
    for (uint64_t i = hash;; i++) {
        place *slot = &k->slot[i & (uint64_t)(k->slots - 1)];
        if (slot->count == 0 || memcmp(slot->key, key, CHL_SHA256_BYTES) == 0) return slot;
    }
}

static bool grow(chl_number_cache *k) {
    if (2 * (k->used + 1) < k->slots) return true;
    chl_number_cache larger = {.slots = k->slots ? 2 * k->slots : 1024};
    larger.slot = calloc((size_t)larger.slots, sizeof *larger.slot);
    if (!larger.slot) return false;
    for (int64_t i = 0; i < k->slots; i++)
        if (k->slot[i].count) *slot_of(&larger, k->slot[i].key) = k->slot[i];
    free(k->slot);
    k->slot = larger.slot;
    k->slots = larger.slots;
    return true;
}

static bool note_place(chl_number_cache *k, const record_head *head, int of, int64_t at) {
    if (!grow(k)) return false;
    place *slot = slot_of(k, head->key);
    k->used += slot->count == 0;
    memcpy(slot->key, head->key, CHL_SHA256_BYTES);
    slot->at = at;
    slot->file = of;
    slot->count = head->count;
    return true;
}

/* --- reading ---------------------------------------------------------------------------------- */
static bool read_at(int descriptor, void *to, size_t size, int64_t at) {
    for (size_t done = 0; done < size;) {
        const ssize_t got =
            pread(descriptor, (char *)to + done, size - done, (off_t)(at + (int64_t)done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        done += (size_t)got;
    }
    return true;
}

static int64_t bytes_of(uint32_t count) {
    return (int64_t)(sizeof(record_head) + sizeof(float) * count + sizeof(uint64_t));
}

/* The records behind those that are known. What is no record ends the file. */
static chl_status read_places(chl_number_cache *k, int of) {
    file *f = &k->file[of];
    struct stat about;
    if (fstat(f->descriptor, &about) != 0) return CHL_OK;
    for (record_head head; f->read + bytes_of(1) <= about.st_size;) {
        if (!read_at(f->descriptor, &head, sizeof head, f->read) ||
            memcmp(head.mark, "kept", sizeof head.mark) != 0 || head.count < 1 ||
            head.count > MAX_COUNT || f->read + bytes_of(head.count) > about.st_size)
            return CHL_OK;
        if (!note_place(k, &head, of, f->read + (int64_t)sizeof head)) return no_memory(k);
        f->read += bytes_of(head.count);
    }
    return CHL_OK;
}

static int find_file(const chl_number_cache *k, const char *name) {
    for (int i = 0; i < k->files; i++)
        if (strcmp(k->file[i].name, name) == 0) return i;
    return -1;
}

static chl_status add_file(chl_number_cache *k, const char *name, int flags) {
    char *path;
    if (asprintf(&path, "%s/%s", k->folder, name) < 0) return no_memory(k);
    const int descriptor = open(path, flags | O_CLOEXEC, 0666);
    chl_status status = CHL_OK;
    if (descriptor < 0)
        status = chl_fail(CHL_ERR_IO, "%s: cannot be opened (%s)", path, strerror(errno));
    free(path);
    CHL_TRY(status);
    file *grown = realloc(k->file, sizeof *grown * (size_t)(k->files + 1));
    if (grown) k->file = grown;
    char *copy = grown ? strdup(name) : NULL;
    if (!copy) {
        close(descriptor);
        return no_memory(k);
    }
    k->file[k->files++] = (file){.name = copy, .descriptor = descriptor};
    return CHL_OK;
}

static chl_status look(chl_number_cache *k) {
    DIR *list = opendir(k->folder);
    k->looked = chl_seconds_now();
    if (!list)
        return chl_fail(CHL_ERR_IO, "%s: cannot read the folder (%s)", k->folder, strerror(errno));
    chl_status status = CHL_OK;
    for (const struct dirent *entry; status == CHL_OK && (entry = readdir(list));) {
        const size_t length = strlen(entry->d_name), ending = strlen(ENDING);
        if (length <= ending || strcmp(entry->d_name + length - ending, ENDING) != 0) continue;
        int at = find_file(k, entry->d_name);
        if (at < 0) {
            status = add_file(k, entry->d_name, O_RDONLY);
            at = k->files - 1;
        }
        if (status == CHL_OK) status = read_places(k, at);
    }
    closedir(list);
    return status;
}

/* FNV-1a; what a disk damages is found, nobody forges it. */
static uint64_t check_of(const uint8_t *key, int64_t count, const float *numbers) {
    uint64_t digest = 0xcbf29ce484222325u;
    for (int i = 0; i < CHL_SHA256_BYTES; i++) digest = (digest ^ key[i]) * 0x100000001b3u;
    for (int64_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, &numbers[i], sizeof word);
        digest = (digest ^ word) * 0x100000001b3u;
    }
    return digest;
}

bool chl_number_cache_find(chl_number_cache *k, const uint8_t key[CHL_SHA256_BYTES], int64_t count,
                           float *numbers) {
    const place *at = k->slots ? slot_of(k, key) : NULL;
    if ((!at || at->count == 0) && chl_seconds_now() - k->looked > REFRESH && look(k) == CHL_OK)
        at = k->slots ? slot_of(k, key) : NULL;
    if (!at || at->count == 0 || at->count != count) return false;
    const int descriptor = k->file[at->file].descriptor;
    const size_t size = sizeof *numbers * (size_t)count;
    uint64_t check;
    return read_at(descriptor, numbers, size, at->at) &&
           read_at(descriptor, &check, sizeof check, at->at + (int64_t)size) &&
           check == check_of(key, count, numbers);
}

/* --- writing ---------------------------------------------------------------------------------- */
static chl_status begin_own(chl_number_cache *k) {
    uint64_t random;
    char name[32];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return chl_fail(CHL_ERR_IO, "%s: no random number for a name (%s)", k->folder,
                        strerror(errno));
    snprintf(name, sizeof name, "%016" PRIx64 ENDING, random);
    CHL_TRY(add_file(k, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND));
    k->own = k->files - 1;
    return CHL_OK;
}

/* At once, so that another process sees whole records, but for a full disk. */
static chl_status write_record(const chl_number_cache *k, const void *record, size_t size) {
    const file *own = &k->file[k->own];
    ssize_t put;
    do put = write(own->descriptor, record, size);
    while (put < 0 && errno == EINTR);
    if (put == (ssize_t)size) return CHL_OK;
    const int reason = put < 0 ? errno : ENOSPC;
    if (put > 0 && ftruncate(own->descriptor, (off_t)own->read) != 0) /* half a record: the end */
        return chl_fail(CHL_ERR_IO, "%s/%s: cannot be written (%s)", k->folder, own->name,
                        strerror(errno));
    return chl_fail(CHL_ERR_IO, "%s/%s: cannot be written (%s)", k->folder, own->name,
                    strerror(reason));
}

chl_status chl_number_cache_add(chl_number_cache *k, const uint8_t key[CHL_SHA256_BYTES],
                                int64_t count, const float *numbers) {
    if (count < 1 || count > MAX_COUNT)
        return chl_fail(CHL_ERR_ARGUMENT, "%s: 1 to %d numbers are kept, got %" PRId64, k->folder,
                        MAX_COUNT, count);
    if (k->own < 0) CHL_TRY(begin_own(k));
    const size_t bytes = (size_t)bytes_of((uint32_t)count), body = sizeof *numbers * (size_t)count;
    record_head head = {"kept", (uint32_t)count, {0}}; /* NOLINT: four letters, no zero */
    memcpy(head.key, key, CHL_SHA256_BYTES);
    const uint64_t check = check_of(key, count, numbers);
    char *record = malloc(bytes);
    if (!record) return no_memory(k);
    memcpy(record, &head, sizeof head);
    memcpy(record + sizeof head, numbers, body);
    memcpy(record + sizeof head + body, &check, sizeof check);
    const chl_status status = write_record(k, record, bytes);
    free(record);
    CHL_TRY(status);
    file *own = &k->file[k->own];
    if (!note_place(k, &head, k->own, own->read + (int64_t)sizeof head)) return no_memory(k);
    own->read += (int64_t)bytes;
    return CHL_OK;
}

/* --- the folder ------------------------------------------------------------------------------- */
chl_status chl_number_cache_open(const char *folder, chl_number_cache **out) {
    *out = NULL;
    chl_number_cache *k = calloc(1, sizeof *k);
    if (!k) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory for what it keeps", folder);
    k->own = -1;
    k->folder = strdup(folder);
    chl_status status =
        k->folder ? CHL_OK : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for its name", folder);
    if (status == CHL_OK && mkdir(folder, 0777) != 0 && errno != EEXIST)
        status =
            chl_fail(CHL_ERR_IO, "%s: the folder cannot be made (%s)", folder, strerror(errno));
    if (status == CHL_OK) status = look(k);
    CHL_HAND_OVER(status, k, out, chl_number_cache_close);
}

void chl_number_cache_close(chl_number_cache *k) {
    if (!k) return;
    for (int i = 0; i < k->files; i++) {
        close(k->file[i].descriptor);
        free(k->file[i].name);
    }
    CHL_FREE(k->file, k->slot, k->folder, k);
}
