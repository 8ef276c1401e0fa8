/* Weights that are one file or several, as Hugging Face divides them. Its index of shards:
 *
 *     {"metadata": {...}, "weight_map": {"visual.proj": "model-00001-of-00002.safetensors", ...}}
 *
 * The shards lie beside the index. */
#include "base/json.h"
#include "io/weights.h"
#include <string.h>
#include <sys/stat.h>

#define MAX_PATH_LENGTH 4096
#define MAX_SHARDS 1024
#define MAX_INDEX ((int64_t)64 << 20) /* bytes */

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* A shard's name is that of a file beside the index: one with a folder in it could name any file of
 * the machine. */
static bool is_plain_name(const char *name) {
    return name && *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static chl_status read_shard(const char *index, const char *name, chl_params *into) {
    char path[MAX_PATH_LENGTH];
    const char *slash = strrchr(index, '/');
    const int length =
        snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - index) + 1 : 0, index, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return chl_fail(CHL_ERR_IO, "%s: the path of the shard %.80s is too long", index, name);
    return chl_weights_add(path, into);
}

/* Each shard once, in the order in which the map first names them. */
static chl_status read_map(const char *index, json_t *map, chl_params *into) {
    const char *seen[MAX_SHARDS], *key;
    json_t *value;
    int shards = 0;
    json_object_foreach(map, key, value) {
        const char *name = json_string_value(value);
        int at = 0;
        if (!is_plain_name(name))
            return chl_fail(
                CHL_ERR_FORMAT,
                "%s: \"%.80s\" lies in \"%.80s\", expected the name of a file beside the "
                "index",
                index, key, name ? name : "?");
        while (at < shards && strcmp(seen[at], name) != 0) at++;
        if (at < shards) continue;
        if (shards == MAX_SHARDS)
            return chl_fail(CHL_ERR_FORMAT, "%s: names more than %d shards", index, MAX_SHARDS);
        seen[shards++] = name;
        CHL_TRY(read_shard(index, name, into));
    }
    json_object_foreach(
        map, key,
        value) if (!chl_params_find(into, key) &&
                   !chl_params_problem(
                       into, key)) return chl_fail(CHL_ERR_KEY,
                                                   "%s: \"%.80s\" is not in %s, where the index "
                                                   "says it is: fetch both again",
                                                   index, key, json_string_value(value));
    return shards ? CHL_OK : chl_fail(CHL_ERR_FORMAT, "%s: its weight_map is empty", index);
}

static chl_status read_index(const char *index, chl_params *into) {
    json_error_t problem;
    json_t *root;
    CHL_TRY(chl_json_read_file(index, MAX_INDEX, &root, &problem));
    json_t *map = json_object_get(root, "weight_map");
    const chl_status status =
        json_is_object(map)
            ? read_map(index, map, into)
            : chl_fail(CHL_ERR_FORMAT,
                       "%s: is no index of shards, expected a JSON object with \"weight_map\"%s%s",
                       index, root ? "" : ": ", root ? "" : problem.text);
    json_decref(root);
    return status;
}

static bool is_file(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

static chl_status read_folder(const char *folder, chl_params *into) {
    static const char *const names[] = {
        "model.safetensors.index.json", "model.safetensors",
        "pytorch_model.bin.index.json", "pytorch_model.bin",
        "open_clip_model.safetensors",  "open_clip_pytorch_model.bin"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[MAX_PATH_LENGTH];
        const int length = snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (length < 0 || (size_t)length >= sizeof path || !is_file(path)) continue;
        return ends_with(path, ".index.json") ? read_index(path, into)
                                              : chl_weights_add(path, into);
    }
    return chl_fail(
        CHL_ERR_IO,
        "%s: is a directory without model.safetensors, pytorch_model.bin or an index of "
        "shards: name a file in it",
        folder);
}

/* Reads what `path` stands for when it is not one file: an index (*.index.json), or a folder with
 * an index or with a single file of a usual name. *several tells whether it was that; when not,
 * nothing was done. */
static chl_status read_shards(const char *path, chl_params *into, bool *several) {
    struct stat about;
    const bool folder = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
    const bool index = !folder && ends_with(path, ".index.json") && is_file(path);
    *several = folder || index;
    if (folder) return read_folder(path, into);
    return index ? read_index(path, into) : CHL_OK;
}

chl_status chl_weights_read(const char *path, chl_params **out) {
    chl_status status;
    chl_params *params = NULL;
    bool several = false;
    *out = NULL;
    CHL_TRY_GOTO(chl_params_new(path, &params));
    CHL_TRY_GOTO(read_shards(path, params, &several));
    if (!several) CHL_TRY_GOTO(chl_weights_add(path, params));
    *out = params;
    params = NULL;
done:
    chl_params_free(params);
    return status;
}
