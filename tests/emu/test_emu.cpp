// Unit tests of every wrapper of kernels/cuda/lib/simt.h on the CPU. EMU_ORDER and EMU_LAND apply.
#include "emu_test.h"
#include <sys/wait.h>
#include <unistd.h>

bool test::dies(const std::function<void()> &f, const char *words) {
    int ends[2];
    if (pipe(ends)) return false;
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        f();
        _exit(0);
    }
    close(ends[1]);
    std::string said;
    char piece[512];
    for (ssize_t n; (n = read(ends[0], piece, sizeof piece)) > 0;)
        said.append(piece, static_cast<size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    const bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    const bool right = died && said.find(words) != std::string::npos;
    if (!right)
        std::fprintf(stderr, "expected a death with \"%s\", got: %s\n", words, said.c_str());
    return right;
}

int main() {
    test::core();
    test::intrinsics();
    test::tensor();
    test::kernels();
    test::hopper();
    test::short_offsets();
    std::printf("%d of %d checks passed\n", test::checks - test::failures, test::checks);
    return test::failures ? 1 : 0;
}
