/* `align`: a photo becomes a picture as generators of faces know them. */
#include "command.h"
#include "outputs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_POINTS 68
#define MAX_TEXT 65536 /* bytes of a file of points */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define SEPARATORS " \t\r\n,;[]()"

typedef struct align_job {
    const char *photo, *out, *points, *eyes, *mouth, *cascades;
    int size, face;
    bool has_face;
    double point[MAX_POINTS][2];
    int count;       /* of points; 0: none are given */
    bool has_points; /* given or found */
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

/* --- faces ------------------------------------------------------------------------------------ */
static void say_found(const align_job *job, int count, const chl_found_face *face) {
    const chl_found_face *f = &face[job->face - 1];
    fprintf(stderr, "chladni: %d face%s found", count, count == 1 ? " is" : "s are");
    if (count > 1)
        fprintf(stderr, ": number %d is taken%s", job->face,
                job->has_face ? "" : " (--face N takes another, --face 0 none)");
    fprintf(stderr, "\nchladni: --eyes %.1f,%.1f,%.1f,%.1f --mouth %.1f,%.1f,%.1f,%.1f%s\n",
            f->points.left_eye[0], f->points.left_eye[1], f->points.right_eye[0],
            f->points.right_eye[1], f->points.left_mouth[0], f->points.left_mouth[1],
            f->points.right_mouth[0], f->points.right_mouth[1],
            f->has_eyes ? "" : ": its eyes are not found, these are where faces have them");
}

static bool opencv_data_is_there(void) {
    return access("/usr/share/opencv4/haarcascades", F_OK) == 0;
}

static void say_middle(const char *why) {
    fprintf(stderr,
            "chladni: %s: the square in the middle is taken (--landmarks or --eyes and --mouth "
            "align a face)\n",
            why);
}

/* Without a face the job has no points. Where nobody asked for faces, their detector may be
 * absent. */
static chl_status find_face(align_job *job, chl_face_points *points) {
    chl_found_face *face;
    int count;
    if (job->face == 0) return CHL_OK;
    const chl_status status = chl_find_faces(job->photo, job->cascades, &count, &face);
    if (status == CHL_ERR_IO && !job->cascades && !job->has_face && !opencv_data_is_there()) {
        say_middle("faces are looked for with OpenCV's cascades, of the Debian package "
                   "opencv-data, which is not installed");
        return CHL_OK;
    }
    if (status != CHL_OK) return status;
    if (job->face > count && job->has_face) {
        chl_release(face);
        return command_fail(CHL_ERR_ARGUMENT, "%s: --face %d: %d face%s found", job->photo,
                            job->face, count, count == 1 ? " is" : "s are");
    }
    if (count == 0) {
        say_middle("no face is found");
    } else {
        *points = face[job->face - 1].points;
        job->has_points = true;
        say_found(job, count, face);
    }
    chl_release(face);
    return CHL_OK;
}

/* --- pictures --------------------------------------------------------------------------------- */
static chl_status make(align_job *job, float **pixels) {
    chl_face_points face;
    chl_status status;
    job->has_points = job->count > 0;
    if (job->has_points)
        status = chl_face_points_of(job->count, (const double(*)[2])job->point, &face);
    else
        status = find_face(job, &face);
    if (status != CHL_OK) return status;
    return job->has_points ? chl_align_face(job->photo, &face, job->size, pixels)
                           : chl_picture_read_square(job->photo, job->size, pixels);
}

static int run(align_job *job) {
    float *pixels;
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
    if ((job->cascades || job->has_face) && (job->points || job->eyes))
        return usage_error(line, "%s is for photos without points of a face",
                           job->cascades ? "--cascades" : "--face");
    if (job->face < 0) return usage_error(line, "--face must be >= 0, got %d", job->face);
    output_table table = {0};
    output_reads(&table, job->photo);
    output_add(&table, "out", OUTPUT_PICTURE, job->out);
    return output_check(line, &table);
}

int command_align(int argc, char **argv) {
    align_job job = {.size = 1024, .face = 1};
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
        {"face", NULL, OPTION_INT, &job.face, "N",
         "which of the faces that are found, the largest is 1; 0: none, the square in the middle",
         &job.has_face},
        {"cascades", NULL, OPTION_INPUT, &job.cascades, "DIR",
         "folder of OpenCV's cascades, haarcascade_frontalface_alt2.xml and haarcascade_eye.xml "
         "(default that of Debian's opencv-data)",
         NULL},
    };
    command_line line = {
        .usage =
            "align PHOTO --out O.png [--landmarks P | --eyes X,Y,X,Y --mouth X,Y,X,Y | --face N]",
        .about =
            "Cuts, turns and scales a photo so that the face in it lies as the faces of FFHQ do,\n"
            "with which generators of faces were trained. Without points of a face it is looked\n"
            "for, where Debian's package opencv-data is installed or --cascades is given.\n"
            "Without a face the square in the middle is taken.",
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
