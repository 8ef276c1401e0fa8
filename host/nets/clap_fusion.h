/* The feature fusion of LAION-CLAP's audio encoder [Wu et al. 2023, section 3.3, released code]: the
 * patches of a whole long sound and those of three parts of it, mixed by attention [Dai et al. 2021,
 * AFF]: w = sigmoid(local(a + b) + global(a + b)), 2 w a + 2 (1 - w) b.
 *
 *     chl_clap_fusion fusion;
 *     CHL_TRY(chl_clap_fusion_import(params, &trunk, &fusion));
 *     ... x = chl_swin_stages(&net, &trunk, chl_clap_fusion_patches(&net, &trunk, &fusion, pictures));
 *
 * A picture is [4 R + 1][R], R the trunk's resolution. The first R rows are the whole sound's. The next
 * 3 R R numbers are a picture [R][R][3] of the parts: their patches are three times as long as the
 * trunk's, and stand side by side, all of the first part, then all of the second ...; channel c of a
 * patch's pixel (i, j) is pixel (i, c patch + j) of the long patch. Behind the last patch are zeros.
 * The last row is ones; zeros where the sound is no longer than one part: its whole is not mixed with
 * anything. */
#ifndef CHL_NETS_CLAP_FUSION_H
#define CHL_NETS_CLAP_FUSION_H
#include "nets/swin.h"

#define CHL_CLAP_PARTS 3
/* Width of a part's patch, in the trunk's. */
#define CHL_CLAP_STRETCH 3

typedef struct chl_clap_fusion {
    int hidden; /* width of the attention */
    int side;   /* patches along a side of the trunk's map */
} chl_clap_fusion;

/* The trunk is imported already. Checks the fusion's arrays, brings them to our layout and marks them
 * used. */
bool chl_clap_fusion_is_in(const chl_params *params);
chl_status chl_clap_fusion_import(chl_params *params, const chl_swin_config *trunk,
                                  chl_clap_fusion *out);

/* Rows of a picture. */
int chl_clap_fusion_rows(const chl_swin_config *trunk);
/* Where pixel (row, column) of picture `part` of a part, 0, 1 or 2, lies in the R R 3 numbers; -1:
 * beyond the last patch that fits, it is not heard. */
int64_t chl_clap_fusion_place(const chl_swin_config *trunk, int part, int row, int column);

/* pictures [N,4R+1,R,1] -> patches [N,R/patch,R/patch,embed] */
chl_tensor chl_clap_fusion_patches(chl_net *net, const chl_swin_config *trunk,
                                   const chl_clap_fusion *fusion, chl_tensor pictures);
#endif
