/* libFuzzer: no input may crash, hang, leak or take memory out of proportion. Through the
 * dispatcher, so that the zip directory, the legacy stream and NVIDIA's nested streams are reached
 * too. */
#include "io/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    chl_params *params;
    if (chl_params_new("fuzz", &params) == CHL_OK) {
        (void)chl_weights_parse(data, size, "fuzz", params);
        chl_params_free(params);
    }
    return 0;
}
