/* Gradient rules of attention's backward rows. */
#ifndef CHL_GRAPH_OPS_ATTENTION_SECOND_H
#define CHL_GRAPH_OPS_ATTENTION_SECOND_H
#include "graph/rule.h"

void chl_gradient_attention_backward(chl_gradient *context);
void chl_gradient_window_attention_backward(chl_gradient *context);
#endif
