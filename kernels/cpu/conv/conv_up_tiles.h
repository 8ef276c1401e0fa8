/* The up-sampling convolution of larger maps, by minimal filtering. Jobs are as for chl_up
 * (conv_engine.h). */
#ifndef CHL_CPU_CONV_UP_TILES_H
#define CHL_CPU_CONV_UP_TILES_H
#include "cpu/conv/conv_engine.h"

/* Floats of the transformed weights, from in_c to out_c channels (backwards: from O to I). */
int64_t chl_up_tiles_floats(int64_t in_c, int64_t out_c, bool backward);
/* w [O,I,3,3] times gain */
void chl_up_tiles_pack(const float *w, int64_t o, int64_t i, float gain, bool backward,
                       float *packed);
size_t chl_up_tiles_workspace(const chl_conv_job *job);
void chl_up_tiles(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace);
size_t chl_up_tiles_backward_workspace(const chl_conv_job *job);
void chl_up_tiles_backward(const chl_conv_job *job, const chl_epilogue *epilogue, float *workspace);
#endif
