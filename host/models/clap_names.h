/* Hugging Face's names of a CLAP become those of the released checkpoints. For this room only. */
#ifndef CHL_MODELS_CLAP_NAMES_H
#define CHL_MODELS_CLAP_NAMES_H
#include "base/params.h"

#define CHL_CLAP_HF_AUDIO "audio_model.audio_encoder.patch_embed.proj.weight"
#define CHL_CLAP_HF_FUSION "audio_model.audio_encoder.patch_embed.mel_conv2d.weight"
#define CHL_CLAP_HF_TEXT "text_model.embeddings.word_embeddings.weight"

/* Does nothing to a file with other names. q, k and v of the audio encoder become one array. */
chl_status chl_clap_to_released_names(chl_params *params);
#endif
