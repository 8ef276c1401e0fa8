// The emulated GPU as the module that the programs open for `--device cuda`: CHLADNI_CUDA_MODULE names
// the file that this is built to. For tests of whole programs.
#include "backend_emu.h"
#include "runtime/cuda/module.h"
#include <cstdio>

extern "C" __attribute__((visibility("default"))) chl_device *
chl_cuda_open(uint32_t version, int, char *text, size_t size) {
    if (version != CHL_BACKEND_VERSION) {
        std::snprintf(text, size, "the emulated module speaks version %d, the program %u",
                      CHL_BACKEND_VERSION, version);
        return nullptr;
    }
    chl_device *device = chl_emu_open();
    device->name = "cuda (emulated)";
    return device;
}
