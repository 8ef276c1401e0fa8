/* 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3), and its weight
 * gradient. */
#ifndef CHL_CPU_WINOGRAD_H
#define CHL_CPU_WINOGRAD_H
#include "cpu/conv/conv_engine.h"

/* Floats of the transformed weights: 36 packed matrices [in_c, out_c]. */
int64_t chl_winograd_floats(int64_t in_c, int64_t out_c);
/* w [O,I,3,3] times gain; `backward` makes the data gradient's weights: rotated, from O to I. */
void chl_winograd_pack(const float *w, int64_t o, int64_t i, float gain, bool backward,
                       float *packed);
/* g [tap][lane] = gain w[lane * step + tap], rotated where `turned`, of a vector of `lanes` channels */
void chl_winograd_taps(const float *w, int64_t step, int64_t lanes, float gain, bool turned,
                       double g[9][CHL_LANES]);
/* u = matrix g matrix^T for one vector of output channels of one input channel; the 36 numbers of u
 * are `step` floats apart. In double precision: packing is rare. */
void chl_winograd_pack_vector(const double matrix[6][3], const double g[9][CHL_LANES],
                              float *packed, int64_t step);
/* G, in double precision. */
void chl_winograd_weight_matrix(double g[6][3]);
/* V = B^T d B of the styled 6x6 patch under one 4x4 tile of the output (tiles are counted over
 * samples, rows, columns); its 36 numbers of all in_c channels are `step` floats apart. */
void chl_winograd_read(const chl_conv_job *job, int64_t tile, float *v, int64_t step);
size_t chl_winograd_workspace(const chl_conv_job *job);
void chl_winograd(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace);

/* The weight gradient (winograd_dw.c), arguments as chl_weight_gradient's. */
size_t chl_winograd_dw_workspace(const chl_conv_job *job);
void chl_winograd_dw(const chl_conv_job *job, const float *dy, float gain, float *dw,
                     bool accumulate, float *workspace);
#endif
