/* A tensor of a graph, as a handle: what the graph and an op's rule both speak of. */
#ifndef CHL_GRAPH_TENSOR_H
#define CHL_GRAPH_TENSOR_H
#include "ops.h"

typedef struct chl_graph chl_graph;
typedef int32_t chl_tensor;
/* No tensor. A zero-initialised handle is one. */
#define CHL_NONE ((chl_tensor)0)
#endif
