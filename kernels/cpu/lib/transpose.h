/* Out-of-place transpose of a dense matrix in 16 x 16 blocks held in registers. */
#ifndef CHL_CPU_TRANSPOSE_H
#define CHL_CPU_TRANSPOSE_H
#include "cpu/lib/cpu.h"

#ifdef __clang__
#define CHL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CHL_UNROLL _Pragma("GCC unroll 16")
#endif

/* One stage: rows i and i + step exchange the lanes whose number has the bit `step`. */
#define CHL_TRADE(step, low, high)                                                                 \
    CHL_UNROLL                                                                                     \
    for (int g = 0; g < CHL_LANES; g += 2 * (step)) {                                              \
        CHL_UNROLL                                                                                 \
        for (int i = g; i < g + (step); i++) {                                                     \
            chl_vec a = r[i], b = r[i + (step)];                                                   \
            r[i] = __builtin_shufflevector(a, b, low);                                             \
            r[i + (step)] = __builtin_shufflevector(a, b, high);                                   \
        }                                                                                          \
    }
#define CHL_PICK(...) __VA_ARGS__
static inline void chl_transpose_block(const float *from, int64_t from_row, float *to,
                                       int64_t to_row) {
    chl_vec r[CHL_LANES];
    CHL_UNROLL
    for (int i = 0; i < CHL_LANES; i++) r[i] = chl_load(from + i * from_row);
    CHL_TRADE(8, CHL_PICK(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
              CHL_PICK(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    CHL_TRADE(4, CHL_PICK(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
              CHL_PICK(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    CHL_TRADE(2, CHL_PICK(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
              CHL_PICK(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    CHL_TRADE(1, CHL_PICK(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
              CHL_PICK(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
    CHL_UNROLL
    for (int i = 0; i < CHL_LANES; i++) chl_store(to + i * to_row, r[i]);
}
#undef CHL_TRADE
#undef CHL_PICK

/* to [columns, rows] = from [rows, columns]^T; from_row and to_row are the row lengths in memory.
 * One thread. */
static inline void chl_transpose(const float *from, int64_t from_row, int64_t rows, int64_t columns,
                                 float *to, int64_t to_row) {
    for (int64_t y = 0; y < rows; y += CHL_LANES)
        for (int64_t x = 0; x < columns; x += CHL_LANES) {
            if (y + CHL_LANES <= rows && x + CHL_LANES <= columns) {
                chl_transpose_block(from + y * from_row + x, from_row, to + x * to_row + y, to_row);
                continue;
            }
            for (int64_t i = y; i < rows && i < y + CHL_LANES; i++)
                for (int64_t j = x; j < columns && j < x + CHL_LANES; j++)
                    to[j * to_row + i] = from[i * from_row + j];
        }
}
#endif
