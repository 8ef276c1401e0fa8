/* Gradient rules of the modulated convolution's backward rows. */
#ifndef CHL_GRAPH_OPS_MODCONV_SECOND_H
#define CHL_GRAPH_OPS_MODCONV_SECOND_H
#include "graph/rule.h"

void chl_gradient_modconv_dx(chl_gradient *context);
void chl_gradient_modconv_dw(chl_gradient *context);
void chl_gradient_modconv_epilogue(chl_gradient *context);
#endif
