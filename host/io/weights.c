#include "io/weights.h"
#include "base/file_bytes.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "io/torch.h"
#include <string.h>
#include <strings.h>

static bool starts(const uint8_t *data, size_t size, const char *with) {
    const size_t length = strlen(with);
    return size >= length && memcmp(data, with, length) == 0;
}

/* The error for a file of another kind: it recognises what a failed download often leaves under the
 * name of a checkpoint. */
static chl_status refuse(const uint8_t *data, size_t size, const char *name) {
    const char *text = (const char *)data;
    if (starts(data, size, "version https://git-lfs"))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: is a Git LFS pointer, not the file itself: run `git lfs pull`", name);
    if ((size >= 5 && strncasecmp(text, "<html", 5) == 0) ||
        (size >= 9 && strncasecmp(text, "<!doctype", 9) == 0))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: is a web page, not a checkpoint: the download failed or must be "
                        "confirmed in a browser",
                        name);
    if (starts(data, size, "\x1f\x8b") || starts(data, size, "BZh") ||
        starts(data, size,
               "\xFD"
               "7zXZ"))
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: is compressed: unpack it first", name);
    if (size > 262 && memcmp(data + 257, "ustar", 5) == 0)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: is a tar archive: unpack it first, or save the checkpoint again with "
                        "a newer PyTorch",
                        name);
    if (starts(data, size, "PK\x05\x06"))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: is an empty archive, expected one with arrays (.npz, .pt)", name);
    if (starts(data, size, "\x89HDF"))
        return chl_fail(CHL_ERR_UNSUPPORTED, "%s: is an HDF5 file: convert it to safetensors",
                        name);
    return chl_fail(
        CHL_ERR_FORMAT,
        "%s: is of an unknown kind, expected safetensors, PyTorch .pt/.pth, NVIDIA .pkl, "
        ".npy or .npz: check that this is the weights file and that it is complete",
        name);
}

/* The first 8 bytes are the header's length, below 2^32 in every real file. This test must come
 * before the pickles', whose first bytes are a possible length. */
static bool is_safetensors(const uint8_t *data, size_t size) {
    return size > 8 && data[8] == '{' && memcmp(data + 4, "\0\0\0\0", 4) == 0;
}

static chl_status parse(const uint8_t *data, size_t size, const char *name, chl_params *into) {
    if (is_safetensors(data, size)) return chl_safetensors_parse(data, size, name, into);
    if (starts(data, size, "PK\x03\x04"))
        return chl_npz_is(data, size) ? chl_npz_parse(data, size, name, into)
                                      : chl_torch_zip_parse(data, size, name, into);
    if (starts(data, size, "\x93NUMPY")) return chl_npy_parse(data, size, name, into);
    if (starts(data, size, "\x80") && size > 1 && data[1] >= 2 && data[1] <= 5)
        return chl_torch_is_legacy(data, size) ? chl_torch_legacy_parse(data, size, name, into)
                                               : chl_nvidia_pickle_parse(data, size, name, into);
    if (size > 8 && data[8] == '{') return chl_safetensors_parse(data, size, name, into);
    return refuse(data, size, name);
}

/* Where no array at all can be read, the reason is the file's error. */
chl_status chl_weights_parse(const uint8_t *data, size_t size, const char *name, chl_params *into) {
    CHL_TRY(parse(data, size, name, into));
    const char *problem = NULL;
    for (int64_t i = 0; i < into->count; i++) {
        if (!into->array[i].problem) return CHL_OK;
        if (!problem) problem = into->array[i].problem;
    }
    return problem ? chl_fail(CHL_ERR_UNSUPPORTED, "%s", problem) : CHL_OK;
}

chl_status chl_weights_add(const char *path, chl_params *into) {
    chl_file_bytes file = {0};
    CHL_TRY(chl_file_bytes_read(path, &(chl_file_rules){0}, &file));
    const chl_status status = chl_weights_parse(file.data, file.size, path, into);
    chl_file_bytes_free(&file);
    return status;
}

chl_status chl_weights_write_safetensors(const chl_params *params, const char *path) {
    return chl_safetensors_write(params, CHL_ELEMENT_F32, path);
}
