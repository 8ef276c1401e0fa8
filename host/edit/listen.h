/* Sounds to embeddings: the audio encoder, whichever of the two it is, and the picture of a sound
 * that it was trained on.
 *
 *     CHL_TRY(chl_listen_open(engine, &options));
 *     CHL_TRY(chl_listen_picture(engine, "rain.wav", 0, picture));      a file, at its own level
 *     embedding = chl_listen(engine, &net, n, &pictures);               nodes, for n at once
 *
 * The paper's Swin sees the mel spectrogram as 224 x 224. Its predecessor's ResNet-18 [Lee et al.
 * 2022, released code] sees 128 x 512 of it, in an order of its own: the code resizes to 512 rows
 * (bands) and 128 columns (time) and then calls the same memory 128 rows of 512. A row is thus one
 * band, four times side by side, each time a quarter of a band higher. Weights trained on that
 * expect it. */
#ifndef CHL_EDIT_LISTEN_H
#define CHL_EDIT_LISTEN_H
#include "edit/engine.h"

/* Reads options->audio, if there is one; after the CLIP pair, whose embedding it must match. */
chl_status chl_listen_open(chl_engine *engine, const chl_engine_options *options);
/* Numbers of one sound's picture. */
int64_t chl_listen_pixels(const chl_engine *engine);
/* Whether there is an encoder and it can hear these levels: gain_db [count] or NULL. A compatible
 * one (mel.h) hears every sound at its own maximum: CHL_ERR_ARGUMENT for any gain but 0. */
chl_status chl_listen_check(const chl_engine *engine, int64_t count, const float *gain_db);
/* The picture [chl_listen_pixels] of a sound file, made louder by gain_db. */
chl_status chl_listen_picture(const chl_engine *engine, const char *path, float gain_db,
                              float *picture);
/* -> embeddings [n, embedding], rows of length 1, of the input *pictures that this makes, n of
 * them one after another. */
chl_tensor chl_listen(const chl_engine *engine, chl_net *audio, int n, chl_tensor *pictures);
#endif
