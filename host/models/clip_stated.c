#include "models/clip_stated.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SETTINGS ((long)1 << 20) /* bytes */

/* --- reading JSON ----------------------------------------------------------------------------- */
static chl_status refuse(const char *file, const char *setting, const json_t *got,
                         const char *expected) {
    char *text = chl_json_text(got, JSON_ENCODE_ANY | JSON_COMPACT, chl_json_refused());
    const chl_status status =
        text ? chl_fail(CHL_ERR_UNSUPPORTED, "%s: states \"%s\" = %.80s, expected %s", file,
                        setting, text, expected)
             : chl_fail(CHL_ERR_MEMORY, "%s: out of memory for \"%s\"", file, setting);
    free(text);
    return status;
}

/* A whole number that may be absent. */
static chl_status get_count(const char *file, const json_t *part, const char *setting, int *value) {
    const json_t *got = json_object_get(part, setting);
    if (!got || json_is_null(got)) return CHL_OK;
    const json_int_t count = json_integer_value(got);
    if (!json_is_integer(got) || count < 1 || count > 1000000)
        return refuse(file, setting, got, "a whole number above 0");
    *value = (int)count;
    return CHL_OK;
}

static chl_status need_number(const char *file, const json_t *part, const char *setting,
                              double expected, const char *text) {
    const json_t *got = json_object_get(part, setting);
    if (!got || (json_is_number(got) && fabs(json_number_value(got) - expected) <= 1e-9))
        return CHL_OK;
    return refuse(file, setting, got, text);
}

/* --- Hugging Face ----------------------------------------------------------------------------- */
static chl_status get_activation(const char *file, const json_t *part, bool *exact, int *towers) {
    const json_t *got = json_object_get(part, "hidden_act");
    const char *name = got ? json_string_value(got) : "quick_gelu"; /* CLIPConfig's default */
    const bool gelu = name && strcmp(name, "gelu") == 0;
    if (!gelu && !(name && strcmp(name, "quick_gelu") == 0))
        return refuse(file, "hidden_act", got, "\"quick_gelu\" or \"gelu\"");
    if ((*towers)++ && *exact != gelu)
        return chl_fail(CHL_ERR_UNSUPPORTED,
                        "%s: the towers have different \"hidden_act\", expected the same", file);
    *exact = gelu;
    return CHL_OK;
}

static chl_status read_hugging_face(const char *file, const json_t *root, chl_clip_stated *out) {
    const json_t *kind = json_object_get(root, "model_type");
    const char *name = json_string_value(kind);
    const json_t *image = json_object_get(root, "vision_config");
    const json_t *text = json_object_get(root, "text_config");
    int towers = 0;
    if (name && strcmp(name, "clip_vision_model") == 0)
        image = root;
    else if (name && strcmp(name, "clip_text_model") == 0)
        text = root;
    else if (!name || strcmp(name, "clip") != 0)
        return kind
                   ? refuse(file, "model_type", kind, "\"clip\"")
                   : chl_fail(CHL_ERR_FORMAT, "%s: has no \"model_type\", expected \"clip\"", file);
    out->image_heads = 12; /* CLIPVisionConfig's and CLIPTextConfig's defaults */
    out->text_heads = 8;
    if (image) {
        CHL_TRY(get_activation(file, image, &out->exact_gelu, &towers));
        CHL_TRY(get_count(file, image, "num_attention_heads", &out->image_heads));
        CHL_TRY(need_number(file, image, "layer_norm_eps", 1e-5, "1e-5"));
    }
    if (text) {
        CHL_TRY(get_activation(file, text, &out->exact_gelu, &towers));
        CHL_TRY(get_count(file, text, "num_attention_heads", &out->text_heads));
        CHL_TRY(need_number(file, text, "layer_norm_eps", 1e-5, "1e-5"));
    }
    return CHL_OK;
}

/* --- open_clip -------------------------------------------------------------------------------- */
/* Every setting of a tower must be known: what else there is changes the network (pooling, another
 * activation, another normalisation), or names a tower of another kind. */
static chl_status check_known(const char *file, const json_t *part, const char *const *known,
                              size_t count) {
    const char *setting;
    json_t *value;
    json_object_foreach((json_t *)part, setting, value) {
        bool fine = json_is_null(value) || json_is_false(value);
        for (size_t i = 0; i < count && !fine; i++) fine = strcmp(setting, known[i]) == 0;
        if (!fine) return refuse(file, setting, value, "a plain vision or text transformer");
    }
    return CHL_OK;
}

static chl_status check_colours(const char *file, const json_t *preprocess) {
    static const char *const settings[2] = {"mean", "std"};
    static const double clip[2][3] = {{0.48145466, 0.4578275, 0.40821073},
                                      {0.26862954, 0.26130258, 0.27577711}};
    for (int i = 0; i < 2; i++) {
        const json_t *got = json_object_get(preprocess, settings[i]);
        bool same = !got || json_array_size(got) == 3;
        for (size_t k = 0; got && same && k < 3; k++)
            same = fabs(json_number_value(json_array_get(got, k)) - clip[i][k]) < 1e-6;
        if (!same) return refuse(file, settings[i], got, "CLIP's");
    }
    return CHL_OK;
}

static chl_status read_open_clip(const char *file, const json_t *root, chl_clip_stated *out) {
    static const char *const image_known[] = {
        "image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio", "patch_dropout"};
    static const char *const text_known[] = {"context_length", "vocab_size", "width",
                                             "heads",          "layers",     "mlp_ratio"};
    const json_t *model = json_object_get(root, "model_cfg");
    const json_t *image = json_object_get(model, "vision_cfg");
    const json_t *text = json_object_get(model, "text_cfg");
    if (!json_is_object(image) || !json_is_object(text))
        return chl_fail(CHL_ERR_FORMAT,
                        "%s: has no \"model_cfg\" with \"vision_cfg\" and \"text_cfg\"", file);
    CHL_TRY(check_known(file, image, image_known, sizeof image_known / sizeof *image_known));
    CHL_TRY(check_known(file, text, text_known, sizeof text_known / sizeof *text_known));
    CHL_TRY(check_colours(file, json_object_get(root, "preprocess_cfg")));
    int width = 768, head_width = 64; /* CLIPVisionCfg's and CLIPTextCfg's defaults */
    out->text_heads = 8;
    CHL_TRY(get_count(file, image, "width", &width));
    CHL_TRY(get_count(file, image, "head_width", &head_width));
    CHL_TRY(get_count(file, text, "heads", &out->text_heads));
    out->image_heads = width / head_width;
    out->exact_gelu = !json_is_true(json_object_get(model, "quick_gelu"));
    return CHL_OK;
}

/* --- which file ------------------------------------------------------------------------------- */
static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

static const char *settings_name(const char *weights) {
    if (begins(weights, "open_clip_model.") || begins(weights, "open_clip_pytorch_model."))
        return "open_clip_config.json";
    if (begins(weights, "model.safetensors") || begins(weights, "pytorch_model.bin"))
        return "config.json";
    return NULL;
}

/* Sets `file` to the path of the settings; false when there are none. */
static bool find_settings(const char *path, char *file, size_t size) {
    static const char *const names[] = {"config.json", "open_clip_config.json"};
    struct stat about;
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
        for (int i = 0; i < 2; i++) {
            const int length = snprintf(file, size, "%s/%s", path, names[i]);
            if (length > 0 && (size_t)length < size && stat(file, &about) == 0) return true;
        }
        return false;
    }
    const char *slash = strrchr(path, '/'), *name = settings_name(slash ? slash + 1 : path);
    if (!name) return false;
    const int length =
        snprintf(file, size, "%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
    return length > 0 && (size_t)length < size && stat(file, &about) == 0 &&
           S_ISREG(about.st_mode) && about.st_size <= MAX_SETTINGS;
}

chl_status chl_clip_read_stated(const char *path, chl_clip_stated *out) {
    char file[4096];
    json_error_t problem;
    *out = (chl_clip_stated){.found = false};
    if (!find_settings(path, file, sizeof file)) return CHL_OK;
    json_t *root;
    CHL_TRY(chl_json_read_file(file, MAX_SETTINGS, &root, &problem));
    if (!json_is_object(root)) {
        json_decref(root);
        return chl_fail(CHL_ERR_FORMAT, "%s: is not the JSON object with a model's settings (%s)",
                        file, problem.text);
    }
    const bool open_clip = json_object_get(root, "model_cfg") != NULL;
    const chl_status status =
        open_clip ? read_open_clip(file, root, out) : read_hugging_face(file, root, out);
    json_decref(root);
    out->found = status == CHL_OK;
    return status;
}
