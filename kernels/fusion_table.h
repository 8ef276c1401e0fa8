/* Calls that a backend may run as one: CHL_FUSION(name, ops, same, elided).
 *
 *   ops        in the order of the graph; host/graph/fuse.c brings them together
 *   same       pairs of slots that must be one tensor: call.slot=call.slot
 *   elided  a slot whose tensor nobody else uses, so that it need never be in memory
 *
 * The ops' own contracts say what is computed; a fusion adds no meaning. Where several fit, the
 * first one here is taken. No include guard: included many times. Bodies:
 * kernels/cuda, in files whose names end in _fused.cu or beside the last op's own. */

/* The gradient of a layer's result y goes on into the layer below without a pass of its own: what
 * makes it, the data gradient of the next convolution and ToRGB's, reads y anyway. */
CHL_FUSION(modconv_dx_torgb_epilogue, "modconv_dx torgb_backward modconv_epilogue_backward",
           "0.dx=1.dx 0.dx=2.dy 0.x=2.y 1.x=2.y", "0.dx")
CHL_FUSION(modconv_dx_epilogue, "modconv_dx modconv_epilogue_backward", "0.dx=1.dy 0.x=1.y", "0.dx")
/* the last layer, whose only reader is ToRGB */
CHL_FUSION(torgb_epilogue, "torgb_backward modconv_epilogue_backward", "0.dx=1.dy 0.x=1.y", "0.dx")
CHL_FUSION(modconv_torgb, "modconv torgb", "0.y=1.x", "")
/* Squeeze and excitation's gate: four calls of some thousand numbers each, which cost what it takes
 * to begin them. */
CHL_FUSION(gate, "linear activation linear activation", "0.y=1.x 1.y=2.x 2.y=3.x", "")
CHL_FUSION(gate_backward, "activation_dx linear_dx activation_dx linear_dx",
           "0.dx=1.dy 1.dx=2.dy 2.dx=3.dy", "")
/* a residual and the norm behind it */
CHL_FUSION(sum_layer_norm, "sum layer_norm", "0.y=1.x", "")
/* the end of a squeeze-and-excitation unit and the norm at the next one's beginning */
CHL_FUSION(unit_end, "channel_scale sum batch_norm", "0.y=1.b 1.y=2.x", "0.y")
