/* The one array that a file was written for: a latent, a batch of pictures. */
#ifndef CHL_IO_ONE_ARRAY_H
#define CHL_IO_ONE_ARRAY_H
#include "base/params.h"

/* Any container that chl_weights_read knows: .npy; .npz and .pt with one array, or with one that
 * has a usual name of a latent ("w" of projected_w.npz, "latent", "latents", "w_plus", ...); a list
 * of arrays of one shape, which are joined along a new first axis. *data is the array's memory, to
 * be freed. CHL_ERR_FORMAT, with the names that are there, when it is not clear which array is
 * meant. */
chl_status chl_one_array_read(const char *path, chl_desc *desc, void **data);
#endif
