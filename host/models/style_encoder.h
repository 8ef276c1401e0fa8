/* An encoder for inversion: the code of a picture, for the generator that it was trained with. registry.h
 * opens it.
 *
 *     chl_style_encoder *encoder;
 *     CHL_TRY(chl_style_encoder_open(&place, "e4e_ffhq_encode.pt", &encoder));
 *     CHL_TRY(chl_style_encoder_fits(encoder, generator));
 *     CHL_TRY(chl_style_encoder_code(encoder, 1024, pixels, generator->sizes.rows, code));
 *     chl_style_encoder_close(encoder); */
#ifndef CHL_MODELS_STYLE_ENCODER_H
#define CHL_MODELS_STYLE_ENCODER_H
#include "models/generator.h"
#include "nets/style_encoder.h"

typedef struct chl_style_encoder {
    chl_model model;
    chl_style_config config;
} chl_style_encoder;

/* Takes the model over, also when it fails. */
chl_status chl_style_encoder_new(const chl_model *model, chl_style_encoder **out);
void chl_style_encoder_close(chl_style_encoder *encoder); /* NULL is fine */

/* CHL_ERR_SHAPE, naming both files, unless its codes are as the generator's. */
chl_status chl_style_encoder_fits(const chl_style_encoder *encoder, const chl_generator *generator);
/* pixels [side][side][3] in [-1,1], for a face generator an aligned face -> code [rows][latent]. The
 * picture is averaged over areas, or enlarged bilinearly, to the encoder's side. `rows` must be its own,
 * or any where it makes one w for all. */
chl_status chl_style_encoder_code(chl_style_encoder *encoder, int side, const float *pixels,
                                  int rows, float *code);
/* What a run of that on pictures of this side takes. */
chl_status chl_style_encoder_plan(const chl_style_encoder *encoder, int side, chl_plan *plan);

extern const chl_model_kind chl_kind_e4e, chl_kind_psp, chl_kind_psp_last_map;
#endif
