// Tensor-core instructions. Register layouts: PTX ISA, "Matrix Fragments for mma.m16n8k16 with
// floating point type" and "ldmatrix"; layouts.cu compares these formulas with a GPU.
#include "emu_machine.h"

namespace simt::emu {
static float low(uint32_t pair) {
    return bits<float>(pair << 16);
}
static float high(uint32_t pair) {
    return bits<float>(pair & 0xffff0000u);
}

namespace {
struct Mma {
    float *d;
    const uint32_t *a, *b;
};
struct Ldmatrix {
    uint16_t row[8];
    uint32_t *r;
    int matrices;
    bool transposed;
};
} // namespace

static void multiply(void **argument, uint32_t) {
    float a[16][16], b[16][8], c[16][8];
    const auto lane = [argument](int t) { return static_cast<Mma *>(argument[t]); };
    for (int t = 0; t < 32; t++) {
        const int group = t / 4, pair = t % 4 * 2;
        for (int r = 0; r < 4; r++) {
            const int row = group + r % 2 * 8, column = pair + r / 2 * 8;
            a[row][column] = low(lane(t)->a[r]);
            a[row][column + 1] = high(lane(t)->a[r]);
            c[group + r / 2 * 8][pair + r % 2] = lane(t)->d[r];
        }
        for (int r = 0; r < 2; r++) {
            b[pair + r * 8][group] = low(lane(t)->b[r]);
            b[pair + r * 8 + 1][group] = high(lane(t)->b[r]);
        }
    }
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 8; j++) c[i][j] += a[i][k] * b[k][j];
    for (int t = 0; t < 32; t++)
        for (int r = 0; r < 4; r++) lane(t)->d[r] = c[t / 4 + r / 2 * 8][t % 4 * 2 + r % 2];
}
void mma_m16n8k16(float *d, const uint32_t *a, const uint32_t *b, Where here) {
    need_sm(80, "mma.m16n8k16 of bf16");
    Mma mine{d, a, b};
    collective(0xffffffffu, &mine, "mma.m16n8k16", false, multiply, here);
}

static void spread(void **argument, uint32_t) {
    const auto lane = [argument](int t) { return static_cast<Ldmatrix *>(argument[t]); };
    const int matrices = lane(0)->matrices;
    for (int t = 0; t < 32; t++) {
        if (lane(t)->matrices != matrices || lane(t)->transposed != lane(0)->transposed)
            die("ldmatrix: the lanes disagree on the number of matrices or on .trans");
        for (int j = 0; j < matrices; j++) {
            uint32_t element[2];
            for (int i = 0; i < 2; i++) {
                const int along = t % 4 * 2 + i, across = t / 4;
                const int row = lane(t)->transposed ? along : across;
                element[i] = lane(j * 8 + row)->row[lane(t)->transposed ? across : along];
            }
            lane(t)->r[j] = element[0] | element[1] << 16;
        }
    }
}
void ldmatrix(uint32_t *r, const void *row, int matrices, bool transposed, Where here) {
    need_sm(75, "ldmatrix");
    Ldmatrix mine{{}, r, matrices, transposed};
    // only the first 8 x matrices lanes' addresses count; the lane that points reads, so that a
    // race and a read out of bounds are found where they are made
    if (emu::lane() < 8 * matrices) {
        if (reinterpret_cast<uintptr_t>(row) % 16)
            die("ldmatrix at %s:%d: the row is not 16-byte aligned", here.file, here.line);
        shared_address(row, "ldmatrix");
        note_read(row, sizeof mine.row);
        std::memcpy(mine.row, row, sizeof mine.row);
    }
    collective(0xffffffffu, &mine, "ldmatrix", false, spread, here);
}
} // namespace simt::emu
