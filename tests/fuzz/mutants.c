/* Damaged files for one parser: a fuzz target in an ordinary build, with mutants that know what files
 * are made of. No input may crash, hang or trip a sanitizer.
 *
 *   mutants_<target> COUNT FOLDER...     mutants 1 to COUNT of the files in the folders
 *   mutants_<target> --only N FOLDER...  mutant N alone, which a failure names
 *
 * A mutant is a function of its number and the files alone. */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *count, char ***arguments);

enum { MAX_FILES = 1024, ROOM = 1 << 20, MAX_CHANGES = 6, SECONDS = 60 };

static struct file {
    uint8_t *data;
    size_t size;
} files[MAX_FILES];
static int file_count;
static uint8_t mutant[ROOM];
static size_t mutant_size;
static uint64_t random_state;
static volatile long current;

/* --- random numbers: splitmix64 --------------------------------------------------------------- */
static uint64_t draw(void) {
    uint64_t x = random_state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static size_t below(size_t limit) {
    return limit ? (size_t)(draw() % limit) : 0;
}

/* --- the files -------------------------------------------------------------------------------- */
static void add_file(const char *path) {
    FILE *from = fopen(path, "rb");
    uint8_t *data = malloc(ROOM);
    if (from && data && file_count < MAX_FILES) {
        const size_t size = fread(data, 1, ROOM, from);
        files[file_count++] = (struct file){data, size};
        data = NULL;
    }
    free(data);
    if (from) fclose(from);
}

static void add_folder(const char *folder) {
    struct dirent **entry;
    char path[4096];
    const int count = scandir(folder, &entry, NULL, alphasort);
    if (count < 0) {
        perror(folder);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        if (entry[i]->d_name[0] != '.') add_file(path);
        free(entry[i]);
    }
    free(entry);
}

/* --- mutations -------------------------------------------------------------------------------- */
static void flip_bit(void) {
    if (mutant_size) mutant[below(mutant_size)] ^= (uint8_t)(1u << below(8));
}

/* Counts and sizes where parsers compute with them. */
static void put_number(void) {
    static const uint64_t numbers[] = {
        0,          1,          2,           0x7f,      0x80,       0xff,
        0x7fff,     0x8000,     0xffff,      0x10000,   0x7fffffff, 0x80000000,
        0xfffffffe, 0xffffffff, 0x100000000, INT64_MAX, UINT64_MAX, UINT64_MAX - 1};
    const size_t width = (size_t)1 << below(4);
    if (mutant_size < width) return;
    const size_t at = below(2) ? below(mutant_size - width + 1)
                               : below((mutant_size < 256 ? mutant_size : 256) - width + 1);
    const uint64_t number = numbers[below(sizeof numbers / sizeof *numbers)];
    const bool big = below(2);
    for (size_t i = 0; i < width; i++)
        mutant[at + i] = (uint8_t)(number >> 8 * (big ? width - 1 - i : i));
}

static void cut_end(void) {
    mutant_size = below(mutant_size + 1);
}

static void remove_part(void) {
    const size_t at = below(mutant_size), most = mutant_size - at;
    const size_t length = below((most < 64 || below(4) == 0 ? most : 64) + 1);
    memmove(mutant + at, mutant + at + length, mutant_size - at - length);
    mutant_size -= length;
}

/* A part of this file, or of another, once more. */
static void insert_part(void) {
    const struct file *from = &files[below((size_t)file_count)];
    const size_t start = below(from->size), most = from->size - start;
    const size_t length = below((most < 64 || below(4) == 0 ? most : 64) + 1);
    const size_t at = below(mutant_size + 1);
    if (mutant_size + length > ROOM) return;
    memmove(mutant + at + length, mutant + at, mutant_size - at);
    memcpy(mutant + at, from->data + start, length);
    mutant_size += length;
}

/* Numbers written as text: JSON, headers of .npy, Python's literals. */
static void change_digit(void) {
    for (int tries = 0; tries < 64 && mutant_size; tries++) {
        const size_t at = below(mutant_size);
        if (mutant[at] < '0' || mutant[at] > '9') continue;
        mutant[at] = (uint8_t) "0123456789-e.,"[below(14)];
        return;
    }
}

static void fill_part(void) {
    const size_t at = below(mutant_size), most = mutant_size - at;
    memset(mutant + at, (int)(uint8_t)draw(), below((most < 256 ? most : 256) + 1));
}

static void make(long number) {
    static void (*const changes[])(void) = {flip_bit,    put_number,  put_number,   cut_end,
                                            remove_part, insert_part, change_digit, fill_part};
    random_state = (uint64_t)number * 0x2545f4914f6cdd1d;
    const struct file *from = &files[below((size_t)file_count)];
    memcpy(mutant, from->data, from->size);
    mutant_size = from->size;
    for (size_t i = 1 + below(1 + below(MAX_CHANGES)); i > 0; i--)
        changes[below(sizeof changes / sizeof *changes)]();
}

/* Room that ends where reading further is a crash, but for what 16-byte alignment leaves. */
static uint8_t *room_before_guard(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *room =
        mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED || mprotect(room + ROOM, page, PROT_NONE) != 0) exit(1);
    return room + ROOM;
}

static void run(long number, uint8_t *end) {
    current = number;
    alarm(SECONDS);
    make(number);
    uint8_t *exact = end - (mutant_size + 15) / 16 * 16;
    memcpy(exact, mutant, mutant_size);
    (void)LLVMFuzzerTestOneInput(exact, mutant_size);
    alarm(0);
}

/* Formatted by hand: nothing else is safe here. */
static void tell(int signal) {
    char text[] = "mutants: died at --only                    \n";
    long number = current;
    for (char *at = text + sizeof text - 3; number > 0; number /= 10)
        *at-- = (char)('0' + number % 10);
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(1);
    _exit(128 + signal);
}

int main(int count, char **arguments) {
    const bool only = count > 2 && strcmp(arguments[1], "--only") == 0;
#ifdef __SANITIZE_ADDRESS__ /* which tells of the others itself */
    static const int deadly[] = {SIGABRT, SIGALRM};
#else
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
#endif
    if (count < 3 + only) {
        fprintf(stderr, "usage: mutants (COUNT | --only N) FOLDER...\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], tell);
    if (LLVMFuzzerInitialize) (void)LLVMFuzzerInitialize(&count, &arguments);
    for (int i = 2 + only; i < count; i++) add_folder(arguments[i]);
    if (file_count == 0) return 1;
    const long last = atol(arguments[1 + only]);
    uint8_t *end = room_before_guard();
    for (long n = only ? last : 1; n <= last; n++) run(n, end);
    printf("%ld mutants of %d files\n", only ? 1 : last, file_count);
    for (int i = 0; i < file_count; i++) free(files[i].data);
    return 0;
}
