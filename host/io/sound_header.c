/* Facts that libsndfile and libmpg123 take from a header as it stands, although programs that write
 * to a pipe, crash, or copy files together leave other ones there. */
#include "io/sound_bytes.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint64_t chl_sound_number(const uint8_t *at, int count, bool big) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value = value << 8 | at[big ? i : count - 1 - i];
    return value;
}

static uint64_t little(const uint8_t *at, int count) {
    return chl_sound_number(at, count, false);
}

static uint64_t big(const uint8_t *at, int count) {
    return chl_sound_number(at, count, true);
}

static bool has(chl_sound_bytes *b, int64_t at, void *to, int64_t count) {
    return chl_sound_bytes_read(b, at, to, count) == count;
}

/* --- WAV, RF64, CAF: the data chunk ----------------------------------------------------------- */
/* As much behind the data may be no chunk without a doubt about the size: ID3 tags, padding. */
#define SMALL_REST 4096

bool chl_sound_is_chunk_name(const uint8_t *name) {
    for (int i = 0; i < 4; i++)
        if (name[i] < ' ' || name[i] > '~') return false;
    return true;
}

/* Whether chunks, and nothing else, lie between `at` and the end. */
static bool chunks_follow(chl_sound_bytes *b, int64_t at) {
    uint8_t head[8];
    while (b->size - at > 8) {
        if (!has(b, at, head, 8) || !chl_sound_is_chunk_name(head)) return false;
        const int64_t size = (int64_t)little(head + 4, 4);
        if (size > b->size - at - 8) return false;
        at += 8 + size + (size & 1);
    }
    return true;
}

static void patch(chl_sound_bytes *b, int64_t at, int count, uint64_t value, bool is_big) {
    b->patch_at = at;
    b->patch_count = count;
    for (int i = 0; i < count; i++)
        b->patch[i] = (uint8_t)(value >> 8 * (is_big ? count - 1 - i : i));
}

/* What the data chunk's claim of `size` bytes at `from` is worth. A size of 4 GiB and more does not
 * fit into a WAV's 32 bits, and writers store what is left of it. */
typedef enum claim { CLAIM_FITS, CLAIM_IS_NONE, CLAIM_LEAVES_BYTES } claim;

static claim claim_of(chl_sound_bytes *b, int64_t from, int64_t size) {
    if (size < 0) return CLAIM_IS_NONE;            /* RF64's "unknown" */
    if (size >= b->size - from) return CLAIM_FITS; /* libsndfile stops at the end */
    const int64_t next = from + size + (size & 1), rest = b->size - next;
    if (rest <= 0 || chunks_follow(b, next)) return CLAIM_FITS;
    if (size == 0 || rest >= UINT32_MAX - SMALL_REST) return CLAIM_IS_NONE;
    return rest > SMALL_REST ? CLAIM_LEAVES_BYTES : CLAIM_FITS;
}

static void mend_wav(chl_sound_bytes *b, const char *name) {
    uint8_t head[8];
    int64_t long_size = -1, long_at = -1; /* of RF64's ds64 chunk, which has 64 bits for it */
    for (int64_t at = 12; has(b, at, head, 8);) {
        int64_t size = (int64_t)little(head + 4, 4);
        uint8_t sizes[16];
        if (memcmp(head, "ds64", 4) == 0 && has(b, at + 8, sizes, 16)) {
            long_at = at + 16;
            long_size = (int64_t)little(sizes + 8, 8);
        }
        if (memcmp(head, "data", 4) == 0) {
            const bool is_long = size == UINT32_MAX && long_at >= 0;
            if (is_long) size = long_size;
            const claim worth = claim_of(b, at + 8, size);
            if (worth == CLAIM_LEAVES_BYTES)
                chl_log(CHL_LOG_WARN,
                        "%s: the header claims %" PRId64 " bytes of sound; the %" PRId64
                        " bytes behind them are no part of a WAV file and are ignored",
                        name, size, b->size - at - 8 - size);
            if (worth != CLAIM_IS_NONE) return;
            const int64_t all = b->size - at - 8;
            if (is_long)
                patch(b, long_at, 8, (uint64_t)all, false);
            else
                patch(b, at + 4, 4, all < UINT32_MAX ? (uint64_t)all : UINT32_MAX, false);
            return;
        }
        at += 8 + size + (size & 1);
    }
}

/* Apple's Core Audio Format: 64-bit sizes; -1, allowed for the last chunk, is unknown. */
static void mend_caf(chl_sound_bytes *b) {
    uint8_t head[12];
    for (int64_t at = 8; has(b, at, head, 12);) {
        const int64_t size = (int64_t)big(head + 4, 8), left = b->size - at - 12;
        if (memcmp(head, "data", 4) == 0 && (size == -1 || size > left))
            patch(b, at + 4, 8, (uint64_t)left, true);
        if (size < 0 || size > left) return;
        at += 12 + size;
    }
}

void chl_sound_mend_length(chl_sound_bytes *b, const char *name) {
    uint8_t head[12];
    if (!has(b, 0, head, 12)) return;
    if (memcmp(head, "caff", 4) == 0) mend_caf(b);
    if ((memcmp(head, "RIFF", 4) == 0 || memcmp(head, "RF64", 4) == 0) &&
        memcmp(head + 8, "WAVE", 4) == 0)
        mend_wav(b, name);
}

/* --- FLAC ------------------------------------------------------------------------------------- */
bool chl_sound_hide_flac_length(chl_sound_bytes *b) {
    /* the lower 36 bits of the 18 bytes in question; the upper bits are channels and depth */
    uint8_t head[26];
    if (!has(b, 0, head, 26) || memcmp(head, "fLaC", 4) != 0) return false;
    patch(b, 21, 5, (uint64_t)(head[21] & 0xf0) << 32, true);
    return true;
}

/* --- OGG [RFC 3533] --------------------------------------------------------------------------- */
#define MAX_LINKS 10000

static chl_status add_link(const char *name, int64_t start, int64_t **starts, int *count) {
    if (*count == MAX_LINKS)
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: is a chain of more than %d OGG streams", name,
                        MAX_LINKS);
    int64_t *larger = realloc(*starts, sizeof **starts * (size_t)(*count + 1));
    if (!larger) return chl_fail(CHL_ERR_MEMORY, "%s: out of memory", name);
    *starts = larger;
    larger[(*count)++] = start;
    return CHL_OK;
}

/* A link begins with a page that has the flag "first of a stream", after one that has not. Pages
 * are found by their sizes; the search ends at the first bytes that are no page. */
chl_status chl_sound_ogg_links(chl_sound_bytes *b, const char *name, int64_t **starts, int *count) {
    uint8_t head[27 + 255];
    *starts = NULL;
    *count = 0;
    bool first_pages = true;
    chl_status status = add_link(name, 0, starts, count);
    for (int64_t at = 0; status == CHL_OK;) {
        const int64_t got = chl_sound_bytes_read(b, at, head, sizeof head);
        if (got < 27 || memcmp(head, "OggS", 4) != 0 || got < 27 + head[26]) break;
        const bool first = head[5] & 2;
        if (first && !first_pages) status = add_link(name, at, starts, count);
        first_pages = first;
        at += 27 + head[26];
        for (int i = 0; i < head[26]; i++) at += head[27 + i];
    }
    if (status != CHL_OK) {
        free(*starts);
        *starts = NULL;
    }
    return status;
}

/* --- MP3 -------------------------------------------------------------------------------------- */
static int64_t behind_id3(chl_sound_bytes *b) {
    uint8_t head[10];
    if (!has(b, 0, head, 10) || memcmp(head, "ID3", 3) != 0) return 0;
    return 10 + ((head[6] & 127) << 21 | (head[7] & 127) << 14 | (head[8] & 127) << 7 |
                 (head[9] & 127)); /* 7 bits of each byte count */
}

int64_t chl_sound_xing_frames(chl_sound_bytes *b) {
    uint8_t head[2048];
    const int64_t got = chl_sound_bytes_read(b, behind_id3(b), head, sizeof head);
    for (int64_t i = 0; i + 4 < got; i++) { /* padding may follow the tag */
        if (head[i] != 0xff || (head[i + 1] & 0xe0) != 0xe0) continue;
        for (int64_t k = i + 4; k + 12 <= got && k < i + 4 + 48;
             k++) /* behind the side information */
            if ((memcmp(head + k, "Xing", 4) == 0 || memcmp(head + k, "Info", 4) == 0) &&
                head[k + 7] & 1)
                return (int64_t)big(head + k + 8, 4);
        break;
    }
    return 0;
}

/* Layer III's sync word at the start, or behind an ID3 tag. */
static bool is_mp3(chl_sound_bytes *b) {
    uint8_t head[2];
    return has(b, behind_id3(b), head, 2) && head[0] == 0xff && (head[1] & 0xe6) == 0xe2;
}

/* --- containers for ffmpeg -------------------------------------------------------------------- */
/* Whether a WAV's samples are encoded in a way that libsndfile does not know (it calls the header
 * malformed). */
static bool is_foreign_wav(chl_sound_bytes *b) {
    static const uint16_t known[] = {1, 2, 3, 6, 7, 0x11, 0x31, 0xfffe};
    uint8_t head[10];
    for (int64_t at = 12; has(b, at, head, 10);
         at += 8 + (int64_t)little(head + 4, 4) + (head[4] & 1)) {
        if (memcmp(head, "fmt ", 4) != 0) continue;
        const uint64_t tag = little(head + 8, 2);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (tag == known[i]) return false;
        return true;
    }
    return false;
}

/* The same for an OGG whose first stream is neither Vorbis nor Opus: FLAC, which libsndfile reads
 * from some writers, Speex and others. */
static bool is_foreign_ogg(chl_sound_bytes *b) {
    uint8_t head[27], packet[8];
    if (!has(b, 0, head, 27) || !has(b, 27 + head[26], packet, 8)) return false;
    return memcmp(packet, "OpusHead", 8) != 0 && memcmp(packet, "\001vorbis", 7) != 0;
}

const char *chl_sound_kind(chl_sound_bytes *b) {
    static const struct {
        int at, count;
        const char *bytes, *kind;
    } kinds[] = {
        {4, 4, "ftyp", "mov"},
        {0, 4, "\x1a\x45\xdf\xa3", "matroska"},
        {0, 8, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"},
        {0, 2, "\x0b\x77", "ac3"},
        {0, 5, "#!AMR", "amr"},
        {0, 4, "MAC ", "ape"},
        {0, 4, "wvpk", "wv"},
    };
    uint8_t head[16] = {0};
    if (chl_sound_bytes_read(b, 0, head, sizeof head) < 12) return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (memcmp(head + kinds[i].at, kinds[i].bytes, (size_t)kinds[i].count) == 0)
            return kinds[i].kind;
    if (memcmp(head, "RIFF", 4) == 0) return is_foreign_wav(b) ? "wav" : NULL;
    if (memcmp(head, "OggS", 4) == 0) return is_foreign_ogg(b) ? "ogg" : NULL;
    if (head[0] == 0xff && (head[1] & 0xf6) == 0xf0) return "aac"; /* ADTS: layer 0 */
    return is_mp3(b) ? "mp3" : NULL;
}
