/* Sequences of calls that a backend may run as one kernel: CHL_FUSION(name, ops, same, elided).
 *
 *   ops     the calls' ops in graph order; host/graph/fuse.c moves such calls next to each other.
 *           "OP*": up to CHL_MAX_FUSED calls of this op that do not need one another
 *   same    pairs of slots that must be one tensor: call.slot=call.slot.
 *           Of "OP*": where they meet, "first" or "last"; several may add to one tensor
 *   elided  slots whose tensors no other call uses, so that they are never stored in memory
 *
 * The ops' own contracts define the result; a fusion adds no meaning. Where several match, the
 * first one in this table is taken. No include guard: included many times. Bodies: files in
 * kernels/cuda whose names end in _fused.cu, or the file of one of the sequence's ops. */

/* The gradient of a layer's result y is made by the data gradient of the next convolution and by
 * ToRGB's. Both kernels read y already, and y is what the layer's own gradient needs: the three are
 * one. */
CHL_FUSION(modconv_dx_torgb_epilogue, "modconv_dx torgb_backward modconv_epilogue_backward",
           "0.dx=1.dx 0.dx=2.dy 0.x=2.y 1.x=2.y", "0.dx")
CHL_FUSION(modconv_dx_epilogue, "modconv_dx modconv_epilogue_backward", "0.dx=1.dy 0.x=1.y", "0.dx")
/* the last layer, whose result is read by ToRGB only */
CHL_FUSION(torgb_epilogue, "torgb_backward modconv_epilogue_backward", "0.dx=1.dy 0.x=1.y", "0.dx")
/* ToRGB with the layer in front of it and the up-sampling of the colours that its own are added to */
CHL_FUSION(modconv_torgb_upsample, "modconv torgb upsample_fir", "0.y=1.x 1.y=2.residual", "")
CHL_FUSION(modconv_torgb, "modconv torgb", "0.y=1.x", "")
CHL_FUSION(torgb_upsample, "torgb upsample_fir", "0.y=1.residual", "")
/* the colours' gradients back from 64 x 64 to 4 x 4 */
CHL_FUSION(upsample_chain, "upsample_fir_dx upsample_fir_dx upsample_fir_dx upsample_fir_dx",
           "0.dx=1.dy 1.dx=2.dy 2.dx=3.dy", "")
/* 3 x 3 convolutions and what follows them, small ones in bf16 */
CHL_FUSION(conv_prelu, "conv prelu", "0.y=1.x", "")
CHL_FUSION(conv_dx_prelu, "conv_dx prelu_backward", "0.dx=1.dy", "0.dx")
CHL_FUSION(conv_squeeze, "conv batch_norm mean_pool linear activation linear activation",
           "0.y=1.x 1.y=2.x 2.y=3.x 3.y=4.x 4.y=5.x 5.y=6.x", "")
CHL_FUSION(conv_unit_backward,
           "conv_dx batch_norm_backward channel_scale_backward activation_dx linear_dx "
           "activation_dx linear_dx mean_pool_dx batch_norm_backward",
           "0.dx=1.dy 1.dx=2.dy 2.ds=3.dy 3.dx=4.dy 4.dx=5.dy 5.dx=6.dy 6.dx=7.dy 2.dx=7.dx "
           "2.dx=8.dy",
           "0.dx 2.dx")
/* A squeeze-and-excitation unit from its last norm to its gate; and from the norm that follows the
 * unit back to that norm, whose input's gradient is that of total s + mean. */
CHL_FUSION(squeeze, "batch_norm mean_pool linear activation linear activation",
           "0.y=1.x 1.y=2.x 2.y=3.x 3.y=4.x 4.y=5.x", "")
CHL_FUSION(unit_backward,
           "batch_norm_backward channel_scale_backward activation_dx linear_dx activation_dx "
           "linear_dx mean_pool_dx batch_norm_backward",
           "0.dx=1.dy 1.ds=2.dy 2.dx=3.dy 3.dx=4.dy 4.dx=5.dy 5.dx=6.dy 1.dx=6.dx 1.dx=7.dy",
           "1.dx")
/* Squeeze and excitation's gate: four calls of some thousand numbers each, whose time is that of
 * their launches. */
CHL_FUSION(gate, "linear activation linear activation", "0.y=1.x 1.y=2.x 2.y=3.x", "")
CHL_FUSION(gate_backward, "activation_dx linear_dx activation_dx linear_dx",
           "0.dx=1.dy 1.dx=2.dy 2.dx=3.dy", "")
/* a small product in bf16 and the GELU behind it; back, the product in front of GELU's gradient */
CHL_FUSION(linear_activation, "linear activation", "0.y=1.x", "")
CHL_FUSION(linear_dx_activation, "linear_dx activation_dx", "0.dx=1.dy", "0.dx")
/* a residual and the norm that follows it */
CHL_FUSION(sum_layer_norm, "sum layer_norm", "0.y=1.x", "")
/* the end of a squeeze-and-excitation unit and the norm that begins the next one */
CHL_FUSION(unit_end, "channel_scale sum batch_norm", "0.y=1.b 1.y=2.x", "0.y")
/* 1 - the cosine of two embeddings, and its gradient; the sum of losses and its mean */
CHL_FUSION(cosine, "row_norm row_norm row_dot sum", "0.y=2.a 1.y=2.b 2.y=3.a", "")
CHL_FUSION(cosine_dx, "row_dot_backward row_norm_dx", "0.da=1.dy", "0.da")
CHL_FUSION(mean_of_sums, "sum sum mean sum", "0.y=1.a 1.y=2.x 2.y=3.a", "")
/* A generator's styles, a call for each layer, and their gradients. They need the codes alone, or
 * are needed for the codes' gradient alone, so that they can meet at one end of the step. Each line
 * relies on what the line above has moved out of the way. `fits` is asked for each call. */
CHL_FUSION(select_tokens, "select_token*", "first", "")
CHL_FUSION(linears, "linear*", "first", "")
CHL_FUSION(demodulates, "demodulate*", "first", "")
CHL_FUSION(select_tokens_dx, "select_token_dx*", "last", "")
CHL_FUSION(linears_dx, "linear_dx*", "last", "")
CHL_FUSION(demodulates_backward, "demodulate_backward*", "last", "")
