/* The flags that name models and say how they are read. A command lists those that it uses. `o` is a
 * chl_engine_options. */
#ifndef CHL_TOOLS_MODEL_OPTIONS_H
#define CHL_TOOLS_MODEL_OPTIONS_H
#include "options.h"
#include <chladni/engine.h>

/* A class counts from 0; the engine's options have 0 for none. */
typedef struct generator_flags {
    int label;
    bool has_label;
} generator_flags;
/* EXIT_OK, or the text of what is wrong is on stderr. */
int take_generator_flags(const command_line *line, const generator_flags *flags,
                         chl_engine_options *models);

#define GENERATOR_OPTIONS(o, flags)                                                                \
    {"generator",  "ckpt",                                                                         \
     OPTION_INPUT, &(o).generator,                                                                 \
     "FILE",       "StyleGAN2 (stylegan2-ada-pytorch, rosinality) or StyleGAN3 weights",           \
     NULL},                                                                                        \
        {"class",           NULL, OPTION_INT,                                                      \
         &(flags).label,    "N",  "class of a generator with classes, from 0",                     \
         &(flags).has_label},                                                                      \
    {                                                                                              \
        "conv-clamp", NULL, OPTION_FLOAT, &(o).conv_clamp, "X",                                    \
            "clamp of the generator's activations (default 0: by the file's kind; -1: none)", NULL \
    }
#define CLIP_OPTIONS(o)                                                                            \
    {"clip",    NULL,   OPTION_INPUT,                                                              \
     &(o).clip, "FILE", "CLIP weights (OpenAI, open_clip, HF; CLAP for texts)",                    \
     NULL},                                                                                        \
        {"vocab",                                                                                  \
         NULL,                                                                                     \
         OPTION_INPUT,                                                                             \
         &(o).vocab,                                                                               \
         "FILE",                                                                                   \
         "CLIP's BPE merges (bpe_simple_vocab_16e6.txt.gz), for texts; for CLAP tokenizer.json",   \
         NULL},                                                                                    \
        {"clip-gelu",                                                                              \
         NULL,                                                                                     \
         OPTION_CHOICE,                                                                            \
         &(o).clip_exact_gelu,                                                                     \
         "auto|exact|quick",                                                                       \
         "CLIP's activation function: GELU, QuickGELU (OpenAI) or as the file says (default)",     \
         NULL},                                                                                    \
        {"clip-heads",                                                                             \
         NULL,                                                                                     \
         OPTION_INT,                                                                               \
         &(o).clip_image_heads,                                                                    \
         "N",                                                                                      \
         "attention heads of CLIP's image tower (default 0: as the file says, or by the width)",   \
         NULL},                                                                                    \
        {"clip-text-heads",                                                                        \
         NULL,                                                                                     \
         OPTION_INT,                                                                               \
         &(o).clip_text_heads,                                                                     \
         "N",                                                                                      \
         "attention heads of CLIP's text tower (default 0: as the file says, or by the width)",    \
         NULL},                                                                                    \
    {                                                                                              \
        "clip-view", NULL, OPTION_CHOICE, &(o).clip_compatible, "clip|compatible",                 \
            "preprocessing of pictures for CLIP: CLIP's own (default) or the paper authors'", NULL \
    }
#define AUDIO_OPTION(o)                                                                            \
    {                                                                                              \
        "audio", NULL, OPTION_INPUT, &(o).audio, "FILE",                                           \
            "audio encoder (Swin, ResNet-18, Wav2CLIP, AudioCLIP, CLAP)", NULL                     \
    }
#define MEL_OPTION(o)                                                                              \
    {                                                                                              \
        "mode", NULL, OPTION_CHOICE, &(o).mel, "auto|compatible|absolute|repeated",                \
            "log-mel spectrogram: reference level, short sounds (default auto: as the encoder "    \
            "was "                                                                                 \
            "trained)",                                                                            \
            NULL                                                                                   \
    }
#define SOUND_TEXTS_OPTIONS(o)                                                                     \
    {"sound-texts",                                                                                \
     NULL,                                                                                         \
     OPTION_INPUT,                                                                                 \
     &(o).sound_texts,                                                                             \
     "FILE",                                                                                       \
     "texts, one a line, of all that sounds may be: a sound guides as the mean of those that it "  \
     "is near; needs --vocab",                                                                     \
     NULL},                                                                                        \
        {"sound-texts-temperature",                                                                \
         NULL,                                                                                     \
         OPTION_FLOAT,                                                                             \
         &(o).sound_texts_temperature,                                                             \
         "X",                                                                                      \
         "temperature of the softmax that weights them (default 0: 0.02)",                         \
         NULL},                                                                                    \
    {                                                                                              \
        "sound-own-share", NULL, OPTION_FLOAT, &(o).sound_own_share, "X",                          \
            "share of the sound's own embedding beside theirs, in [0, 1) (default 0)", NULL        \
    }
#define FACE_OPTION(o, about)                                                                      \
    { "face", NULL, OPTION_INPUT, &(o).face, "FILE", "ArcFace IR-SE50 weights, " about, NULL }
#define ENCODER_OPTION(o)                                                                          \
    {                                                                                              \
        "encoder", NULL, OPTION_INPUT, &(o).encoder, "FILE",                                       \
            "encoder for inversion (e4e, pSp), which gives the code of --image", NULL              \
    }
#define DEVICE_OPTIONS(o)                                                                          \
    {"precision",                                                                                  \
     NULL,                                                                                         \
     OPTION_CHOICE,                                                                                \
     &(o).precision,                                                                               \
     "auto|float32|bf16",                                                                          \
     "of activations (default auto: bf16 on a GPU, float32 on the CPU)",                           \
     NULL},                                                                                        \
    {                                                                                              \
        "device", NULL, OPTION_TEXT, &(o).device, "cpu|cuda|cuda:N|auto",                          \
            "device that computes (default auto: a GPU if there is one)", NULL                     \
    }
#endif
