/* The one table of ops: CHL_OP(name, inputs, outputs). "?" marks an optional input.
 *
 * It generates the dispatch (enum chl_op, both backends' tables of bodies), the tables of shape,
 * FLOP and gradient rules (host/graph/ops), the op tests and the gradient checks. A row without a
 * rule or without a CPU body does not link; a forward row without a reference and a test case fails
 * tests/op. Backward rows are ordinary rows. No include guard: included many times.
 * host/graph/build.h defines each op: it has one builder per forward row. */

/* elementwise */
CHL_OP(cast, "x", "y")
CHL_OP(sum, "a b? c? d? e? f? g? h?", "y")
CHL_OP(add_bias, "x b", "y")
CHL_OP(add_bias_db, "dy", "db")
CHL_OP(mul, "a b", "y")
CHL_OP(activation, "x", "y")
CHL_OP(activation_dx, "dy x", "dx")
CHL_OP(scale_by, "x log_scale", "y")
CHL_OP(scale_by_backward, "dy x log_scale", "dx dlog_scale")
CHL_OP(mean, "x", "y")
CHL_OP(mean_dx, "dy", "dx")
CHL_OP(drop_path, "x", "y")
/* per channel */
CHL_OP(channel_affine, "x mul add", "y")
CHL_OP(channel_affine_dx, "dy x mul", "dx")
CHL_OP(channel_scale, "x s", "y")
CHL_OP(channel_scale_backward, "dy x s", "dx ds")
CHL_OP(prelu, "x slope", "y")
CHL_OP(prelu_backward, "dy x slope", "dx dslope")
CHL_OP(batch_norm, "x gamma beta mean var", "y")
CHL_OP(batch_norm_backward, "dy x gamma mean var", "dx dgamma dbeta")
CHL_OP(batch_norm_train, "x gamma beta", "y mean var")
CHL_OP(batch_norm_train_backward, "dy x gamma mean var", "dx dgamma dbeta")
/* pooling */
CHL_OP(mean_pool, "x", "y")
CHL_OP(mean_pool_dx, "dy", "dx")
CHL_OP(max_pool, "x", "y")
CHL_OP(max_pool_dx, "dy x", "dx")
/* linear */
CHL_OP(linear_pack, "w b?", "packed")
CHL_OP(linear, "x w b? packed?", "y")
CHL_OP(linear_dx, "dy w packed?", "dx")
CHL_OP(linear_dw, "dy x", "dw db")
/* normalisation of rows */
CHL_OP(layer_norm, "x gamma beta", "y stat")
CHL_OP(layer_norm_backward, "dy x gamma stat", "dx dgamma dbeta")
CHL_OP(row_norm, "x", "y")
CHL_OP(row_norm_dx, "dy x", "dx")
/* attention */
CHL_OP(attention, "qkv", "y lse")
CHL_OP(attention_backward, "dy qkv y lse", "dqkv")
CHL_OP(window_attention, "qkv bias", "y lse")
CHL_OP(window_attention_backward, "dy qkv bias y lse", "dqkv dbias")
/* tokens */
CHL_OP(patch_merge, "x", "y")
CHL_OP(patch_merge_dx, "dy", "dx")
CHL_OP(embedding, "ids table", "y")
CHL_OP(embedding_dw, "dy ids", "dtable")
CHL_OP(prepend_token, "x token", "y")
CHL_OP(prepend_token_backward, "dy", "dx dtoken")
CHL_OP(select_token, "x index?", "y")
CHL_OP(select_token_dx, "dy index?", "dx")
CHL_OP(repeat, "x", "y")
CHL_OP(repeat_dx, "dy", "dx")
/* convolution */
CHL_OP(conv_pack, "w", "packed")
CHL_OP(conv, "x w packed b?", "y")
CHL_OP(conv_dx, "dy w packed", "dx")
CHL_OP(conv_dw, "dy x", "dw db")
/* modulated convolution */
CHL_OP(weight_square, "w", "q")
CHL_OP(weight_square_dw, "dq w", "dw")
CHL_OP(demodulate, "s q", "d")
CHL_OP(demodulate_backward, "dd d s q", "ds dq")
CHL_OP(modconv, "x w packed s d? noise? strength? b?", "y")
CHL_OP(modconv_epilogue_backward, "dy y d? noise? strength? b?", "g dd dstrength db")
CHL_OP(modconv_dx, "g w packed s x?", "dx ds")
CHL_OP(modconv_dw, "g x s", "dw")
CHL_OP(torgb, "x w s b", "y")
CHL_OP(torgb_backward, "dy y x w s", "dx ds dw db")
CHL_OP(upsample_fir, "x residual?", "y")
CHL_OP(upsample_fir_dx, "dy", "dx")
/* StyleGAN3 */
CHL_OP(filtered_lrelu, "x b fu? fd?", "y")
CHL_OP(filtered_lrelu_dx, "v x b fu? fd?", "u")
/* resampling */
CHL_OP(resize_axes, "", "axes")
CHL_OP(resize, "x axes", "y")
CHL_OP(resize_dx, "dy axes", "dx")
/* losses */
CHL_OP(cross_entropy, "logits", "loss lse")
CHL_OP(cross_entropy_dx, "dloss logits lse", "dlogits")
CHL_OP(kl_divergence, "p q", "loss")
CHL_OP(kl_divergence_dq, "dloss p q", "dq")
CHL_OP(row_dot, "a b", "y")
CHL_OP(row_dot_backward, "dy a b", "da db")
CHL_OP(latent_distance, "w source g?", "loss")
CHL_OP(latent_distance_backward, "dloss w source g?", "dw dg")
CHL_OP(pixel_loss, "a b", "loss")
CHL_OP(pixel_loss_da, "dloss a b", "da")
/* optimiser */
CHL_OP(adam, "grad", "param m v")
CHL_OP(sgd, "grad", "param m")
CHL_OP(ema, "x", "average")
/* between ranks */
CHL_OP(all_gather, "x", "y")
CHL_OP(reduce_scatter, "x", "y")
CHL_OP(all_reduce, "x", "y")
/* sound */
CHL_OP(log_mel, "wave window twiddle filter range", "mel")
