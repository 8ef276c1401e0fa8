/* Gradient rules of attention's backward rows. */
#ifndef CHL_GRAPH_OPS_ATTENTION_SECOND_H
#define CHL_GRAPH_OPS_ATTENTION_SECOND_H
#include "graph/rule.h"

chl_compose chl_compose_attention_backward;
chl_compose chl_compose_window_attention_backward;
#endif
