/* RoBERTa [Liu et al. 2019] as LAION-CLAP's text encoder [Wu et al. 2023, released code]: token,
 * position and type embeddings, blocks that normalise behind each sum, the first token's pooled state,
 * two layers that lead into CLAP's space.
 *
 *     chl_roberta_config config = {0};
 *     CHL_TRY(chl_roberta_import(params, &config));      the released checkpoint's names
 *     chl_tensor t = chl_roberta_text(&net, &config, ids, positions);       [N,embed], unit length
 *
 * Padding is not computed: rows of one call have equally many tokens. The original masks padded
 * tokens, so that the others do not see them; the result is the same. */
#ifndef CHL_NETS_ROBERTA_H
#define CHL_NETS_ROBERTA_H
#include "nets/net.h"

typedef struct chl_roberta_config {
    int layers, width, heads, mlp; /* 12, 768, 12 (of 64 channels), 3072 */
    int vocabulary, positions;     /* 50265, 514 */
    int hidden, embed;             /* of the two layers behind it: 512, 512 */
} chl_roberta_config;

/* Of the first token; those before it belong to padding. */
#define CHL_ROBERTA_FIRST_POSITION 2

/* Drops what is not the text encoder, renames `text_branch.` and `text_projection.`, concatenates q, k
 * and v, adds the one type embedding to the positions, reads sizes off the shapes and marks all keys
 * used. */
chl_status chl_roberta_import(chl_params *params, chl_roberta_config *config);

/* ids, positions int32 [N,T] -> [N,embed], rows of length 1 */
chl_tensor chl_roberta_text(chl_net *net, const chl_roberta_config *config, chl_tensor ids,
                            chl_tensor positions);
#endif
