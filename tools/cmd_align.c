/* `align`: a photo becomes a picture as generators of faces know them. */
#include "command.h"
#include "outputs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_POINTS 68
#define MAX_TEXT 65536 /* bytes of a file of points */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define SEPARATORS " \t\r\n,;[]()"

typedef struct align_job {
    const char *photo, *out, *points, *eyes, *mouth;
    int size;
    double point[MAX_POINTS][2];
    int count; /* of points; 0: none are given */
} align_job;

/* --- points ----------------------------------------------------------------------------------- */
/* Numbers between commas, spaces and brackets, so that CSV and JSON's lists of pairs are read alike.
 * Returns how many there are, or -1 where something else stands at *stop. */
static int read_numbers(const char *text, int room, double *number, const char **stop) {
    int count = 0;
    for (*stop = text;;) {
        *stop += strspn(*stop, SEPARATORS);
        if (!**stop) return count;
        char *end;
        const double value = strtod(*stop, &end);
        if (end == *stop || (*end && !strchr(SEPARATORS, *end))) return -1;
        if (count < room) number[count] = value;
        count++;
        *stop = end;
    }
}

static chl_status wrong_count(const char *path, int numbers) {
    return command_fail(
        CHL_ERR_FORMAT,
        "%s: expected x and y of 68 points (dlib), of 5 (eyes, nose, corners of the "
        "mouth) or of 4 (eyes, corners of the mouth), got %d numbers",
        path, numbers);
}

static chl_status take_text(align_job *job, const char *text) {
    const char *stop;
    const int numbers = read_numbers(text, 2 * MAX_POINTS, &job->point[0][0], &stop);
    if (numbers >= 0) {
        job->count = numbers / 2;
        return numbers == 8 || numbers == 10 || numbers == 136 ? CHL_OK
                                                               : wrong_count(job->points, numbers);
    }
    int line = 1;
    for (const char *at = text; at < stop; at++) line += *at == '\n';
    const int length = (int)strcspn(stop, SEPARATORS);
    return command_fail(CHL_ERR_FORMAT, "%s: line %d: expected a number, got \"%.*s\"", job->points,
                        line, length < 16 ? length : 16, stop);
}

static chl_status read_text(align_job *job) {
    static char text[MAX_TEXT + 1];
    FILE *file = fopen(job->points, "r");
    const size_t size = file ? fread(text, 1, sizeof text, file) : 0;
    const int reason = !file || ferror(file) ? errno : 0;
    if (file) fclose(file);
    if (reason)
        return command_fail(CHL_ERR_IO, "%s: cannot be read (%s)", job->points, strerror(reason));
    if (size > MAX_TEXT || memchr(text, 0, size))
        return command_fail(CHL_ERR_FORMAT, "%s: expected a text of points of at most %d bytes",
                            job->points, MAX_TEXT);
    text[size] = 0;
    const bool marked = strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0;
    return take_text(job, marked ? text + strlen(BYTE_ORDER_MARK) : text);
}

static chl_status read_array(align_job *job) {
    int rank;
    int64_t dim[6], numbers = 1;
    float *value;
    const chl_status status = chl_array_read(job->points, &rank, dim, &value);
    if (status != CHL_OK) return status;
    if (rank > 1 && dim[rank - 1] != 2) {
        chl_release(value);
        return command_fail(CHL_ERR_SHAPE,
                            "%s: expected an array of points x 2, x and y of each, got one whose "
                            "last axis has %lld numbers",
                            job->points, (long long)dim[rank - 1]);
    }
    for (int i = 0; i < rank; i++) numbers *= dim[i];
    const bool fits = numbers == 8 || numbers == 10 || numbers == 136;
    job->count = (int)numbers / 2;
    for (int i = 0; fits && i < numbers; i++) (&job->point[0][0])[i] = (double)value[i];
    chl_release(value);
    return fits ? CHL_OK : wrong_count(job->points, (int)numbers);
}

/* "x,y,x,y" -> two points */
static bool read_pair(const char *text, double (*point)[2]) {
    double number[4];
    const char *stop;
    if (read_numbers(text, 4, number, &stop) != 4) return false;
    memcpy(point, number, sizeof number);
    return true;
}

static int find_points(const command_line *line, align_job *job) {
    if (job->points) {
        const chl_status status = ends_in(job->points, ".npy") ? read_array(job) : read_text(job);
        return status == CHL_OK ? EXIT_OK : run_error();
    }
    if (!job->eyes) return EXIT_OK;
    if (!read_pair(job->eyes, job->point) || !read_pair(job->mouth, job->point + 2))
        return usage_error(line,
                           "--eyes and --mouth must each be two points, X,Y,X,Y, the left one "
                           "in the picture first");
    job->count = 4;
    return EXIT_OK;
}

/* --- pictures --------------------------------------------------------------------------------- */
static chl_status make(const align_job *job, float **pixels) {
    chl_face_points face;
    if (job->count == 0) return chl_picture_read_square(job->photo, job->size, pixels);
    const chl_status status = chl_face_points_of(job->count, (const double(*)[2])job->point, &face);
    return status == CHL_OK ? chl_align_face(job->photo, &face, job->size, pixels) : status;
}

static int run(const align_job *job) {
    float *pixels;
    if (job->count == 0)
        fprintf(stderr, "chladni: no points of a face are given: the square in the middle is taken "
                        "(--landmarks or --eyes and --mouth align a face)\n");
    chl_status status = make(job, &pixels);
    if (status == CHL_OK) {
        status = chl_picture_write(job->out, job->size, job->size, pixels);
        chl_release(pixels);
    }
    return status == CHL_OK ? EXIT_OK : run_error();
}

static int check(const command_line *line, const align_job *job) {
    if (!job->photo) return usage_error(line, "PHOTO is missing");
    if (!job->out) return usage_error(line, "--out is missing");
    if (job->size < 16 || job->size > 4096 || (job->size & (job->size - 1)))
        return usage_error(line, "--size must be 16, 32, 64, ..., 2048 or 4096, got %d", job->size);
    if (job->points && (job->eyes || job->mouth))
        return usage_error(line, "give --landmarks, or --eyes and --mouth, not both");
    if (!job->eyes != !job->mouth)
        return usage_error(line, "--eyes and --mouth belong together: %s is missing",
                           job->eyes ? "--mouth" : "--eyes");
    output_table table = {0};
    output_reads(&table, job->photo);
    output_add(&table, "out", OUTPUT_PICTURE, job->out);
    return output_check(line, &table);
}

int command_align(int argc, char **argv) {
    align_job job = {.size = 1024};
    const option options[] = {
        {"out", NULL, OPTION_OUTPUT, &job.out, "O.png", "picture to write", NULL},
        {"size", NULL, OPTION_INT, &job.size, "N",
         "its side in pixels, that of the generator (default 1024)", NULL},
        {"landmarks", NULL, OPTION_INPUT, &job.points, "P.npy|P.json|P.csv",
         "x and y of 68 points of the face as dlib has them, of 5 (left eye, right eye, nose, left "
         "and right corner of the mouth) or of 4 (without the nose)",
         NULL},
        {"eyes", NULL, OPTION_TEXT, &job.eyes, "X,Y,X,Y",
         "the eyes in pixels, the left one in the picture first", NULL},
        {"mouth", NULL, OPTION_TEXT, &job.mouth, "X,Y,X,Y",
         "the corners of the mouth, the left one in the picture first", NULL},
    };
    command_line line = {
        .usage = "align PHOTO --out O.png [--landmarks P | --eyes X,Y,X,Y --mouth X,Y,X,Y]",
        .about =
            "Cuts, turns and scales a photo so that the face in it lies as the faces of FFHQ do,\n"
            "with which generators of faces were trained. Without points of a face the square\n"
            "in the middle is taken.",
        .options = options,
        .count = sizeof options / sizeof options[0],
        .positional = &job.photo,
        .max_positionals = 1};
    bool done;
    int code = parse_options(&line, argc, argv, &done);
    if (code != EXIT_OK || done) return code;
    if (job.photo) job.photo = input_path(job.photo);
    code = check(&line, &job);
    if (code == EXIT_OK) code = find_points(&line, &job);
    return code == EXIT_OK ? run(&job) : code;
}
