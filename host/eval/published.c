#include "eval/published.h"
#include "base/options.h"
#include "eval/report.h"
#include <chladni/eval.h>
#include <math.h>

/* Table 1, per cent, ESC-50 and UrbanSound8K; 0: not said. */
static const struct {
    const char *encoder;
    double zero_shot[2], probe[2], supervised[2];
} published[] = {
    {"Swin, the paper's", {74.4, 58.6}, {89.5, 72.4}, {0, 0}},
    {"Swin without L_kl", {63.6, 53.2}, {0, 0}, {0, 0}},
    {"ResNet-18, Lee et al. 2022", {57.8, 45.7}, {72.2, 66.8}, {0, 0}},
    {"AudioCLIP", {69.4, 68.8}, {0, 0}, {0, 0}},
    {"Wav2CLIP", {41.4, 40.4}, {0, 0}, {0, 0}},
    {"ResNet-50, trained on the labels", {0, 0}, {0, 0}, {66.8, 71.3}},
};

static json_t *share(double percent) {
    return chl_report_number(percent > 0 ? percent / 100 : NAN);
}

json_t *chl_published_encoders(void) {
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        chl_json_append(
            list,
            json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "encoder", published[i].encoder,
                      "esc50_zero_shot", share(published[i].zero_shot[0]), "urbansound8k_zero_shot",
                      share(published[i].zero_shot[1]), "esc50_probe", share(published[i].probe[0]),
                      "urbansound8k_probe", share(published[i].probe[1]), "esc50_supervised",
                      share(published[i].supervised[0]), "urbansound8k_supervised",
                      share(published[i].supervised[1])));
    return list;
}

chl_status chl_published_figures(char **report) {
    CHL_NEEDS(report);
    *report = NULL;
    const uint64_t refused = chl_json_refused();
    json_t *root = json_pack("{s:s, s:o}", "source", "Robust Sound-Guided Image Manipulation",
                             "encoders", chl_published_encoders());
    return chl_report_finish(root, refused, report);
}
