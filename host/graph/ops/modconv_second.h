/* Gradient rules of the modulated convolution's backward rows. */
#ifndef CHL_GRAPH_OPS_MODCONV_SECOND_H
#define CHL_GRAPH_OPS_MODCONV_SECOND_H
#include "graph/rule.h"

chl_compose chl_compose_modconv_dx;
chl_compose chl_compose_modconv_dw;
void chl_gradient_modconv_epilogue(chl_gradient *context);
#endif
