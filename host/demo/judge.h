/* The demo's judge as a service: pictures in, classes and probabilities out, by one compiled graph.
 *
 *     chl_judge_reader *reader;
 *     CHL_TRY(chl_judge_reader_new(device, params, &config, &reader));
 *     CHL_TRY(chl_judge_read(reader, n, pixels, answers));
 *     answers[i].best[CHL_JUDGE_KIND], answers[i].probability[CHL_JUDGE_KIND][...]
 *     chl_judge_reader_free(reader);
 *
 * chl_demo_judge() (chladni/demo.h) wraps it for chl_evaluate_edits. */
#ifndef CHL_DEMO_JUDGE_H
#define CHL_DEMO_JUDGE_H
#include "demo/judge_net.h"

typedef struct chl_judge_reader chl_judge_reader;

typedef struct chl_judge_answer {
    int best[CHL_JUDGE_QUESTIONS]; /* the first class of maximum probability */
    float probability[CHL_JUDGE_QUESTIONS][CHL_JUDGE_CLASSES];
} chl_judge_answer;

/* `params` and `config` (chl_judge_import) must outlive the reader. */
chl_status chl_judge_reader_new(chl_device *device, chl_params *params,
                                const chl_judge_config *config, chl_judge_reader **out);
void chl_judge_reader_free(chl_judge_reader *reader);
/* pixels [n][side][side][3], clamped to [-1,1] here as a picture file would be; answer [n] */
chl_status chl_judge_read(chl_judge_reader *reader, int64_t n, const float *pixels,
                          chl_judge_answer *answer);
#endif
