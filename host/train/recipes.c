/* Recipes: the published trainings' options by one word, each in one place. What a recipe does not
 * set keeps the model's default. docs/training.md has the sources.
 *
 * The digits of the paper's rate, momentum and weight decay are lost in the text that we have; where
 * it gives none, its predecessor's code is followed, and the rate is ours, as is AdamW for its Adam. */
#include "base/options.h"
#include "train/trainer.h"
#include <stdio.h>
#include <string.h>

/* The paper's: 50 epochs of Adam, batches of 384, Eq. 13 with equal weights, cycles of ten epochs as
 * its predecessor's, no average of weights. */
static void paper(chl_train_options *o) {
    o->encoder = "swin";
    o->sizes = "tiny";
    o->epochs = 50;
    o->batch = 384;
    o->optimizer = "adamw";
    o->schedule = "cosine";
    o->rate = 3e-4f;
    o->lowest_rate = 0;
    o->cycles = 5;
    o->warm_up = 0.05f;
    o->beta1 = 0.9f;
    o->beta2 = 0.999f;
    o->decay = 5e-4f;
    o->average = 0;
    o->weight_text = o->weight_image = o->weight_sound = o->weight_weak_pair = 1;
    o->tau_weak_pair = 0.07f;
    o->mask_bands = 0.15f;
    o->mask_frames = 0.3f;
}

/* The predecessor's released training [Lee et al. 2022, soundclip/train.py]: its ResNet-18, texts and
 * augmented views only, a quarter of the sum of the four cross entropies, SGD with a rate that rises
 * for five epochs and falls for five. */
static void lee2022(chl_train_options *o) {
    paper(o);
    o->encoder = "resnet18";
    o->sizes = NULL; /* 64 wide, 2-2-2-2: ResNet-18 itself */
    o->batch = 320;
    o->optimizer = "sgd";
    o->momentum = 0.9f;
    o->schedule = "triangle";
    o->rate = 0.1f;
    o->lowest_rate = 1e-3f;
    o->warm_up = 0.5f;
    o->weight_text = o->weight_sound = 0.25f;
    o->weight_image = o->weight_weak_pair = 0;
}

/* Wav2CLIP's distillation of CLIP's image tower [Wu et al. 2022, released code]: sounds against the
 * pictures of their videos, nothing else, Adam without decay. The network and the rate are its own;
 * it hears our mel picture, and the epochs are the paper's, where its training ends when the loss no
 * longer falls. */
static void wav2clip(chl_train_options *o) {
    paper(o);
    o->encoder = "resnet18";
    o->sizes = NULL;
    o->batch = 128;
    o->rate = 1e-3f;
    o->cycles = 1;
    o->decay = 0;
    o->weight_image = 1;
    o->weight_text = o->weight_sound = o->weight_weak_pair = 0;
}

/* What weights/demo/audio.safetensors was trained with: minutes on two cores. The procedural
 * world's pictures carry a planted bias, its texts do not. */
static void demo(chl_train_options *o) {
    o->steps = 1600;
    o->average = 0.995f;
    o->weight_text = 2;
    o->weight_image = 0.3f;
    o->weight_sound = 0.5f;
}

/* The configurations of stylegan2-ada-pytorch, by its names; lengths are theirs in steps. */
static void published_gan(chl_train_options *o, int batch, int group, const char *sizes, float rate,
                          float r1, float half_life) {
    o->steps = 25000000 / batch;
    o->batch = batch;
    o->group = group;
    o->sizes = sizes;
    o->rate = rate;
    o->r1 = r1;
    o->average_kimg = half_life;
    o->augment = "bgc"; /* upstream's, unless told otherwise */
    o->average_ramp = 0;
}
static void stylegan2_gan(chl_train_options *o) {
    published_gan(o, 32, 4, "base=32768,mapping=8", 2e-3f, 10, 10);
}
static void paper256(chl_train_options *o) {
    o->resolution = 256;
    published_gan(o, 64, 8, "base=16384,mapping=8", 2.5e-3f, 1, 20);
}
static void paper512(chl_train_options *o) {
    o->resolution = 512;
    published_gan(o, 64, 8, "base=32768,mapping=8", 2.5e-3f, 0.5f, 20);
}
static void paper1024(chl_train_options *o) {
    o->resolution = 1024;
    published_gan(o, 32, 4, "base=32768,mapping=8", 2e-3f, 2, 10);
}
/* By resolution and batch, where a number is 0; a batch of 64 at 64 pixels, of 4 at 1024. */
static void auto_gan(chl_train_options *o) {
    const int side = o->resolution > 0 ? o->resolution : 256;
    o->batch = 4096 / side < 32 ? 4096 / side : 32;
    o->group = o->batch < 4 ? o->batch : 4;
    o->sizes = side >= 512 ? "base=32768,mapping=2" : "base=16384,mapping=2";
    o->rate = side >= 1024 ? 2e-3f : 2.5e-3f;
    o->steps = 25000000 / o->batch;
    o->r1 = 0;
    o->augment = "bgc";
    o->average_kimg = 0;
    o->average_ramp = 0.05f;
}

/* stylegan3's, by its names, at its usual batch; gamma is of the data there, here by the resolution unless
 * it is given. */
static void stylegan3_t(chl_train_options *o) {
    published_gan(o, 32, 4, "base=32768,max=512,mapping=2", 2.5e-3f, 0, 0);
    o->network = "stylegan3-t";
    o->rate_critic = 2e-3f;
    o->path_length = o->mixing = 0;
    o->average_ramp = 0.05f;
}
static void stylegan3_r(chl_train_options *o) {
    stylegan3_t(o);
    o->network = "stylegan3-r";
    o->blur_sigma = 10;
}

static const struct {
    chl_train_recipe shown;
    void (*apply)(chl_train_options *options);
} recipes[] = {
    {{"paper", "audio", "the paper: Swin-T, 50 epochs of batches of 384, all four losses"}, paper},
    {{"lee2022", "audio",
      "its predecessor: ResNet-18, 50 epochs of batches of 320, texts and augmented sounds only"},
     lee2022},
    {{"wav2clip", "audio", "Wav2CLIP: ResNet-18, 50 epochs of batches of 128, pictures only"},
     wav2clip},
    {{"auto", "gan", "StyleGAN2-ADA's auto: sizes, batch and R1 by the resolution"}, auto_gan},
    {{"stylegan2", "gan", "StyleGAN2's config F: batches of 32, gamma 10"}, stylegan2_gan},
    {{"paper256", "gan", "StyleGAN2-ADA's paper at 256 x 256: batches of 64, gamma 1"}, paper256},
    {{"paper512", "gan", "the same at 512 x 512: gamma 0.5"}, paper512},
    {{"paper1024", "gan", "the same at 1024 x 1024: batches of 32, gamma 2"}, paper1024},
    {{"stylegan3-t", "gan", "StyleGAN3, moved with its coordinates: batches of 32"}, stylegan3_t},
    {{"stylegan3-r", "gan", "StyleGAN3, moved and turned: 1 x 1 convolutions, a blur at first"},
     stylegan3_r},
    {{"demo", "audio", "the demo's encoder: a small Swin, 1600 steps of 64"}, demo},
};
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

const chl_train_recipe *chl_train_recipe_at(int index) {
    return index >= 0 && index < RECIPES ? &recipes[index].shown : NULL;
}

static const char *list_names(const char *model, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < RECIPES && used < size; i++)
        if (strcmp(recipes[i].shown.model, model) == 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     recipes[i].shown.name);
    return used ? text : "none";
}

chl_status chl_train_options_recipe(const char *recipe, size_t size, chl_train_options *options) {
    CHL_NEEDS(recipe, options);
    chl_train_options own;
    char names[256];
    CHL_TRY(chl_train_options_init(options->model, sizeof own, &own));
    CHL_TRY(chl_options_take(&own, sizeof own, options, "chl_train_options"));
    for (int i = 0; i < RECIPES; i++) {
        if (strcmp(recipes[i].shown.name, recipe) != 0 ||
            strcmp(recipes[i].shown.model, own.model) != 0)
            continue;
        recipes[i].apply(&own);
        own.recipe = recipes[i].shown.name;
        chl_options_give(options, size, &own, sizeof own);
        return CHL_OK;
    }
    return chl_fail(CHL_ERR_ARGUMENT,
                    "training %s: recipe must be one of its recipes (%s), got \"%s\"", own.model,
                    list_names(own.model, names, sizeof names), recipe);
}
