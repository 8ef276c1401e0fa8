/* Log-mel of `batch` clips of ten seconds in the compatible mode: the clip's maximum as reference,
 * reflected ends, so that torch.stft can do the same (bench/peers/mel_torch.py). */
#include "bench.h"
#include "sound/mel.h"

#define SECONDS 10

static chl_status build(const bench_options *options, bench_job *job) {
    chl_mel_settings settings = chl_mel_settings_of(CHL_MEL_COMPATIBLE);
    chl_tensor wave =
        bench_input(job, "wave", chl_f32(2, options->batch, SECONDS * CHL_MEL_RATE), 0.5);
    bench_part(job, "log-mel");
    bench_output(job, "mel", chl_log_mel(job->graph, wave, &settings));
    return CHL_OK;
}

const bench_workload bench_workload_mel = {"mel", "log-mel of 10 s clips at 44.1 kHz", build};
