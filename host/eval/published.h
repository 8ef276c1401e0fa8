/* What "Robust Sound-Guided Image Manipulation" says, for reports that show it beside what was measured. */
#ifndef CHL_EVAL_PUBLISHED_H
#define CHL_EVAL_PUBLISHED_H
#include "base/json.h"

/* Table 1: [{"encoder", "supervised", "esc50_zero_shot", "urbansound8k_zero_shot", "esc50_probe",
 * "urbansound8k_probe", "esc50_supervised", "urbansound8k_supervised"}], shares, null where it says
 * nothing. */
json_t *chl_published_encoders(void);
#endif
