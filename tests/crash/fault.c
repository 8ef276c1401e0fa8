/* A fault at the N-th file operation, or the N-th allocation, of a program (LD_PRELOAD).
 *
 * File operations are counted as the kernel sees them, stdio's included: a seccomp filter turns
 * each into SIGSYS, whose handler counts it, and carries it out from the one address that the
 * filter lets pass. Only operations on files below CRASH_ROOT count; a write that dies has written
 * half.
 *
 *   CRASH_ROOT    folder whose files count (absolute)
 *   CRASH_MODE    count | kill | signal | error | full | memory | starve | json
 *   CRASH_AT      N, from 1
 *   CRASH_SIGNAL  number, for `signal`
 *   CRASH_REPORT  file that gets "<file operations> <allocations> <of them JSON's>" at the end
 *
 * kill: SIGKILL. signal: CRASH_SIGNAL, and the operation goes on. error: EIO, once. full: ENOSPC
 * from there on, for what needs space. memory: one allocation fails. starve: all from there on.
 * json: one of those that jansson makes fails. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* --- system calls, from an address that the filter knows ---------------------------------------
 */
long crash_syscall(long number, long a, long b, long c, long d, long e, long f);
extern const char crash_syscall_return[];

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
__asm__(".text\n.globl crash_syscall\n.globl crash_syscall_return\n"
        ".hidden crash_syscall\n.hidden crash_syscall_return\n"
        "crash_syscall:\n mov %rdi,%rax\n mov %rsi,%rdi\n mov %rdx,%rsi\n mov %rcx,%rdx\n"
        " mov %r8,%r10\n mov %r9,%r8\n mov 8(%rsp),%r9\n syscall\n"
        "crash_syscall_return:\n ret\n");
static void registers(ucontext_t *at, long *number, long *argument[6], long **result) {
    greg_t *r = at->uc_mcontext.gregs;
    static const int order[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    *number = (long)r[REG_RAX];
    for (int i = 0; i < 6; i++) argument[i] = (long *)&r[order[i]];
    *result = (long *)&r[REG_RAX];
}
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
__asm__(".text\n.globl crash_syscall\n.globl crash_syscall_return\n"
        ".hidden crash_syscall\n.hidden crash_syscall_return\n"
        "crash_syscall:\n mov x8,x0\n mov x0,x1\n mov x1,x2\n mov x2,x3\n mov x3,x4\n mov x4,x5\n"
        " mov x5,x6\n svc #0\n"
        "crash_syscall_return:\n ret\n");
static void registers(ucontext_t *at, long *number, long *argument[6], long **result) {
    *number = (long)at->uc_mcontext.regs[8];
    for (int i = 0; i < 6; i++) argument[i] = (long *)&at->uc_mcontext.regs[i];
    *result = (long *)&at->uc_mcontext.regs[0];
}
#else
#error "write the system call of this architecture here"
#endif

/* --- which operations count ---------------------------------------------------------------------
 */
typedef enum operand { PATH_FIRST, PATH_SECOND, DESCRIPTOR } operand;
enum { OTHER, NEEDS_SPACE, OPENS, CLOSES };
typedef struct operation {
    int number;
    operand what;
    int kind;
} operation;

static const operation operations[] = {
#ifdef SYS_open
    {SYS_open, PATH_FIRST, OPENS},
    {SYS_rename, PATH_FIRST, NEEDS_SPACE},
    {SYS_unlink, PATH_FIRST, OTHER},
    {SYS_mkdir, PATH_FIRST, NEEDS_SPACE},
    {SYS_stat, PATH_FIRST, OTHER},
    {SYS_lstat, PATH_FIRST, OTHER},
    {SYS_access, PATH_FIRST, OTHER},
    {SYS_readlink, PATH_FIRST, OTHER},
#endif
    {SYS_openat, PATH_SECOND, OPENS},
    {SYS_renameat, PATH_SECOND, NEEDS_SPACE},
    {SYS_renameat2, PATH_SECOND, NEEDS_SPACE},
    {SYS_unlinkat, PATH_SECOND, OTHER},
    {SYS_mkdirat, PATH_SECOND, NEEDS_SPACE},
    {SYS_newfstatat, PATH_SECOND, OTHER},
    {SYS_faccessat, PATH_SECOND, OTHER},
    {SYS_readlinkat, PATH_SECOND, OTHER},
    {SYS_read, DESCRIPTOR, OTHER},
    {SYS_pread64, DESCRIPTOR, OTHER},
    {SYS_write, DESCRIPTOR, NEEDS_SPACE},
    {SYS_pwrite64, DESCRIPTOR, NEEDS_SPACE},
    {SYS_writev, DESCRIPTOR, NEEDS_SPACE},
    {SYS_ftruncate, DESCRIPTOR, NEEDS_SPACE},
    {SYS_fsync, DESCRIPTOR, NEEDS_SPACE},
    {SYS_fdatasync, DESCRIPTOR, NEEDS_SPACE},
    {SYS_fchmod, DESCRIPTOR, OTHER},
    {SYS_flock, DESCRIPTOR, OTHER},
    {SYS_getdents64, DESCRIPTOR, OTHER},
    {SYS_lseek, DESCRIPTOR, OTHER},
    {SYS_close, DESCRIPTOR, CLOSES},
};
enum { OPERATIONS = sizeof operations / sizeof operations[0], DESCRIPTORS = 4096 };

static char root[512];
static size_t root_length;
enum { COUNT, KILL, SIGNAL, FAIL, FULL, MEMORY, STARVE, JSON };
static int mode;
static long fault_at;
static int fault_signal;
static const char *report;
static atomic_long file_operations, allocations, json_allocations;
static atomic_bool is_ours[DESCRIPTORS];
static atomic_bool armed;

static const operation *find(long number) {
    for (int i = 0; i < OPERATIONS; i++)
        if (operations[i].number == number) return &operations[i];
    return NULL;
}

static bool is_below_root(const char *path) {
    return path && strncmp(path, root, root_length) == 0;
}

static bool counts(const operation *o, long *const argument[6]) {
    if (o->what == PATH_FIRST) return is_below_root((const char *)*argument[0]);
    const long descriptor = *argument[0];
    const bool ours =
        descriptor >= 0 && descriptor < DESCRIPTORS && atomic_load(&is_ours[descriptor]);
    if (o->what == DESCRIPTOR) return ours;
    const char *path = (const char *)*argument[1];
    return is_below_root(path) || (ours && path && path[0] != '/');
}

/* A write of which half arrives before the power goes. */
static void write_half(const operation *o, long *const argument[6]) {
    if (o->number == SYS_write && *argument[2] > 1)
        crash_syscall(SYS_write, *argument[0], *argument[1], *argument[2] / 2, 0, 0, 0);
}

/* The result of the operation in place of its own; 0: carry it out. */
static long fault(const operation *o, long *const argument[6], long n) {
    const bool creates =
        (o->number == SYS_openat && (*argument[2] & O_CREAT)) || o->kind == NEEDS_SPACE;
    if (mode == FULL && n >= fault_at && creates) return -ENOSPC;
    if (n != fault_at) return 0;
    if (mode == KILL) {
        write_half(o, argument);
        crash_syscall(SYS_kill, getpid(), SIGKILL, 0, 0, 0, 0);
    }
    if (mode == SIGNAL) crash_syscall(SYS_kill, getpid(), fault_signal, 0, 0, 0, 0);
    return mode == FAIL ? -EIO : 0;
}

static void on_operation(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    long number, *argument[6], *result;
    const int saved = errno;
    registers(context, &number, argument, &result);
    const operation *o = find(number); /* always found: the filter has the same list */
    const bool ours = atomic_load(&armed) && counts(o, argument);
    long instead = ours ? fault(o, argument, atomic_fetch_add(&file_operations, 1) + 1) : 0;
    if (instead == 0 || o->kind == CLOSES) { /* a close that fails has closed */
        const long done = crash_syscall(number, *argument[0], *argument[1], *argument[2],
                                        *argument[3], *argument[4], *argument[5]);
        if (o->kind == CLOSES && done == 0 && *argument[0] < DESCRIPTORS)
            atomic_store(&is_ours[*argument[0]], false);
        if (o->kind == OPENS && done >= 0 && done < DESCRIPTORS) atomic_store(&is_ours[done], ours);
        if (instead == 0) instead = done;
    }
    *result = instead;
    errno = saved;
}

/* --- the filter ---------------------------------------------------------------------------------
 */
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define WORD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))

static bool install(void) {
    const unsigned long pass = (unsigned long)crash_syscall_return;
    const unsigned at = offsetof(struct seccomp_data, instruction_pointer);
    struct sock_filter filter[2 * OPERATIONS + 16];
    unsigned short length = 0;
    const struct sock_filter head[] = {
        FIELD(arch),
        UNLESS(ARCHITECTURE, 4),
        WORD(at),
        UNLESS((unsigned)pass, 3),
        WORD(at + 4),
        UNLESS((unsigned)(pass >> 32), 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        FIELD(nr),
    };
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) filter[length++] = head[i];
    for (int i = 0; i < OPERATIONS; i++) {
        filter[length++] = (struct sock_filter)UNLESS((unsigned)operations[i].number, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {length, filter};
    const struct sigaction action = {.sa_sigaction = on_operation,
                                     .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* --- allocations --------------------------------------------------------------------------------
 */
/* Allocations of libraries that cannot give an error back are not refused alone: oneDNN's and
 * libgomp's end the process, and libsndfile 1.2 writes through a NULL pointer. When all memory is gone, the program must have noticed
 * before them. */
static struct range { const char *begin, *end; } foreign[16];
static int foreign_count;

static int note_library(struct dl_phdr_info *info, size_t size, void *user) {
    static const char *const names[] = {"libsndfile", "libdnnl", "libstdc++",
                                        "libgomp",    "libgcc",  "ld-linux"};
    (void)size;
    (void)user;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int k = 0; strstr(info->dlpi_name, names[i]) && k < info->dlpi_phnum; k++) {
            const char *begin = (const char *)info->dlpi_addr + info->dlpi_phdr[k].p_vaddr;
            if (info->dlpi_phdr[k].p_type == PT_LOAD && (info->dlpi_phdr[k].p_flags & PF_X) &&
                foreign_count < 16)
                foreign[foreign_count++] =
                    (struct range){begin, begin + info->dlpi_phdr[k].p_memsz};
        }
    return 0;
}

static bool is_foreign(const char *caller) {
    for (int i = 0; i < foreign_count; i++)
        if (caller >= foreign[i].begin && caller < foreign[i].end) return true;
    return false;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* The program gives jansson functions of its own, which watch malloc. They are called from here, so
 * that it is known for whom malloc works. */
static _Thread_local bool for_json;
static void *(*programs_malloc)(size_t size);

static void *json_malloc(size_t size) {
    const bool before = for_json;
    for_json = true;
    void *memory = programs_malloc(size);
    for_json = before;
    return memory;
}

/* In place of jansson's. Who comes later, the library, watches what is in place. */
void json_set_alloc_funcs(void *(*allocate)(size_t), void (*release)(void *)) {
    static void (*own)(void *(*)(size_t), void (*)(void *));
    if (!own) *(void **)&own = dlsym(RTLD_NEXT, "json_set_alloc_funcs");
    if (!programs_malloc) {
        programs_malloc = allocate;
        allocate = json_malloc;
    }
    own(allocate, release);
}

static bool is_refused(const void *caller) {
    if (is_foreign(caller)) return mode == STARVE && atomic_load(&allocations) >= fault_at;
    const long n = atomic_fetch_add(&allocations, 1) + 1;
    const long of_json = for_json ? atomic_fetch_add(&json_allocations, 1) + 1 : 0;
    return (mode == MEMORY && n == fault_at) || (mode == STARVE && n >= fault_at) ||
           (mode == JSON && of_json == fault_at);
}

/* With errno, as malloc sets it: pthread_create asserts it of the loader's. */
static bool starved(const void *caller) {
    if (!atomic_load_explicit(&armed, memory_order_relaxed) || !is_refused(caller)) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return starved(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
    return starved(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
    return starved(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    return starved(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}
void *memalign(size_t alignment, size_t size) {
    return starved(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
    void *memory = starved(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
    if (!memory) return ENOMEM;
    *out = memory;
    return 0;
}

/* --- life ---------------------------------------------------------------------------------------
 */
static void end(void) {
    char text[64];
    if (!atomic_exchange(&armed, false) || !report) return;
    const int length = snprintf(text, sizeof text, "%ld %ld %ld\n", atomic_load(&file_operations),
                                atomic_load(&allocations), atomic_load(&json_allocations));
    const long file =
        crash_syscall(SYS_openat, AT_FDCWD, (long)report, O_WRONLY | O_CREAT | O_TRUNC, 0666, 0, 0);
    crash_syscall(SYS_write, file, (long)text, length, 0, 0, 0);
    crash_syscall(SYS_close, file, 0, 0, 0, 0, 0);
}

__attribute__((constructor)) static void begin(void) {
    static const char *const names[] = {"count", "kill",   "signal", "error",
                                        "full",  "memory", "starve", "json"};
    const char *of_root = getenv("CRASH_ROOT"), *name = getenv("CRASH_MODE");
    if (!of_root || !name) return;
    root_length = (size_t)snprintf(root, sizeof root, "%s/", of_root);
    for (int i = 0; i <= JSON; i++)
        if (strcmp(name, names[i]) == 0) mode = i;
    if (getenv("CRASH_AT")) fault_at = atol(getenv("CRASH_AT"));
    if (getenv("CRASH_SIGNAL")) fault_signal = atoi(getenv("CRASH_SIGNAL"));
    report = getenv("CRASH_REPORT");
    unsetenv("LD_PRELOAD"); /* children are on their own */
    if (mode < MEMORY && !install()) {
        static const char text[] = "crash: no seccomp filter here\n";
        crash_syscall(SYS_write, 2, (long)text, sizeof text - 1, 0, 0, 0);
        crash_syscall(SYS_exit_group, 99, 0, 0, 0, 0, 0);
    }
    dl_iterate_phdr(note_library, NULL);
    atexit(end);
    atomic_store(&armed, true);
}
