/* The score of a video: which text joins the sound, and which rows of the code may move, part by part.
 *
 *     seconds,text,weight,rows
 *     0,,,coarse middle
 *     8,heavy snow,0.6,
 *     14,,,"2,4-6"
 *
 * A row begins a part, which lasts until the next one begins; before the first the sound is alone and
 * every row may move. CSV, or JSON lines with the same keys. */
#ifndef CHL_TOOLS_VIDEO_SCORE_H
#define CHL_TOOLS_VIDEO_SCORE_H
#include "command.h"

#define SCORE_MOST_ROWS 64 /* of a code */
#define SCORE_ALL_ROWS UINT64_MAX

typedef struct score_part {
    int line; /* of the file; 0: before its first part */
    double seconds;
    const char *text, *rows_text; /* NULL: none, all */
    int number;                   /* of the text, from 0, of those that differ; -1: none */
    double weight;                /* of the text, in [0, 1]; the sound has the rest */
    uint64_t rows;                /* bit r: row r may move */
    int last_row; /* the largest that the generator must have: a number's, a group's first; -1: none */
} score_part;

typedef struct video_score {
    const char *path;
    json_t *table; /* what the texts lie in */
    score_part *part;
    int parts;
    const char **text; /* [texts], each once, in the order of the file */
    int texts;
} video_score;

/* Reads the file; an exit code, and the error is printed, with line and column. path NULL: a score of
 * one part, the sound alone. */
int score_read(const char *path, video_score *score);
void score_free(video_score *score);
/* Whether the parts begin within the sound, of `length` seconds, and name rows of the generator. */
chl_status score_check(const video_score *score, int rows, double length);

/* The part at a time >= 0. */
const score_part *score_at(const video_score *score, double seconds);
/* Whether a text is said at one of the keys' times; of any other it would be made for nothing. */
bool score_says(const video_score *score, int text, int keys, const double *time);
/* Says on stderr which texts are said at no key's time, and so do nothing. */
void score_warn(const video_score *score, int keys, const double *time);
/* The rows that all parts between two times let move; of equal times, those of the part there. */
uint64_t score_moves(const video_score *score, double from, double to);
/* How much of a motion by the sound a row takes part in: 0 in parts where it may not move, rising to
 * 1 within half a second on either side of them, so that nothing jumps. */
double score_motion(const video_score *score, double seconds, int row);
/* {"seconds", "text", "weight", "rows"} of each part of the file. */
json_t *score_report(const video_score *score);
#endif
