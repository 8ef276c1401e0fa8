/* What a level in decibels of full scale may be (sound/level.h measures it), for all that read one. */
#ifndef CHL_BASE_DECIBELS_H
#define CHL_BASE_DECIBELS_H
#include <stdbool.h>

#define CHL_SILENT_DB (-200.0) /* of silence */
static inline bool chl_is_level(double db) {
    return db >= CHL_SILENT_DB && db <= 0;
}
#define CHL_LEVELS "a number of decibels in [-200, 0]" /* in errors */
#endif
