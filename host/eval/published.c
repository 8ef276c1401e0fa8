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

/* What people said, sections 4.5 and 5.2: of 1 to 5, or the share of them. */
static json_t *people(void) {
    return json_pack("[{s:s, s:f}, {s:s, s:f, s:f, s:f}]", "what",
                     "perceptual realism of its pictures, of 5 points", "points", 4.333, "what",
                     "paintings that 50 people find better manipulated", "by_sound", 0.612,
                     "lee2022", 0.267, "by_text", 0.121);
}

/* What its text says without digits, those of the table and the figure not being in it. */
static json_t *in_words(void) {
    static const char *const said[][2] = {
        {"Table 2", "edits by sound move the code farther from its source than edits by text"},
        {"Fig. 17a", "edits by sound are generally named right more often than edits by text"},
        {"Fig. 17b, c", "people prefer its edits to those of StyleCLIP and of Lee et al. 2022"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        chl_json_append(list, json_pack("{s:s, s:s}", "part", said[i][0], "says", said[i][1]));
    return list;
}

chl_status chl_published_figures(char **report) {
    CHL_NEEDS(report);
    *report = NULL;
    const uint64_t refused = chl_json_refused();
    json_t *root =
        json_pack("{s:s, s:o, s:o, s:o}", "source", "Robust Sound-Guided Image Manipulation",
                  "encoders", chl_published_encoders(), "people", people(), "in_words", in_words());
    return chl_report_finish(root, refused, report);
}
