#include "cute_tables.h"
#include <cute/atom/copy_traits_sm75.hpp>
#include <cute/atom/mma_traits_sm80.hpp>
#include <cute/atom/mma_traits_sm90_gmma.hpp>
#include <cute/tensor.hpp>
using namespace cute;
namespace cute_tables {
template <class L> static int eval(int t, int v) {
    return int(L{}(t, v));
}
at mma16816(char operand, int t, int v) {
    using T = MMA_Traits<SM80_16x8x16_F32BF16BF16F32_TN>;
    if (operand == 'a') {
        int i = eval<typename T::ALayout>(t, v);
        return {i % 16, i / 16};
    }
    if (operand == 'b') {
        int i = eval<typename T::BLayout>(t, v);
        return {i % 8, i / 8};
    }
    int i = eval<typename T::CLayout>(t, v);
    return {i % 16, i / 16};
}
template <class T> static int ldsm(int t, int reg, int half) {
    // destination (thread, bit) -> source bit; source bit = 128 * source lane + bit
    using D = typename T::DstLayout;
    int bit = eval<D>(t, reg * 32 + half * 16);
    return bit / 16;
}
int ldmatrix(int n, bool trans, int t, int reg, int half) {
    if (!trans) {
        if (n == 1) return ldsm<Copy_Traits<SM75_U32x1_LDSM_N>>(t, reg, half);
        if (n == 2) return ldsm<Copy_Traits<SM75_U32x2_LDSM_N>>(t, reg, half);
        return ldsm<Copy_Traits<SM75_U32x4_LDSM_N>>(t, reg, half);
    }
    if (n == 1) return ldsm<Copy_Traits<SM75_U16x2_LDSM_T>>(t, reg, half);
    if (n == 2) return ldsm<Copy_Traits<SM75_U16x4_LDSM_T>>(t, reg, half);
    return ldsm<Copy_Traits<SM75_U16x8_LDSM_T>>(t, reg, half);
}
at wgmma_c(int n, int t, int v) {
    int i =
        n == 64 ? eval<SM90::GMMA::CLayout_64x64>(t, v) : eval<SM90::GMMA::CLayout_64x128>(t, v);
    return {i % 64, i / 64};
}
at wgmma_a(int t, int v) {
    int i = eval<SM90::GMMA::ALayout_64x16>(t, v);
    return {i % 64, i / 64};
}
using bf = cute::bfloat16_t;
template <int ROWS> static auto k_layout() {
    return tile_to_shape(SM90::GMMA::Layout_K_SW128_Atom<bf>{}, Shape<Int<ROWS>, _64>{});
}
// atoms are [64 n, 8 k] of 1024 bytes; k first, then n: n blocks of 64 lie 8192 bytes apart
template <int N> static auto mn_layout() {
    return tile_to_shape(SM90::GMMA::Layout_MN_SW128_Atom<bf>{}, Shape<Int<N>, _64>{},
                         Step<_2, _1>{});
}
int smem_k_major(int rows, int r, int k) {
    return 2 * (rows == 64 ? int(as_position_independent_swizzle_layout(k_layout<64>())(r, k))
                           : int(as_position_independent_swizzle_layout(k_layout<128>())(r, k)));
}
int smem_mn_major(int n_size, int n, int k) {
    return 2 * (n_size == 64 ? int(as_position_independent_swizzle_layout(mn_layout<64>())(n, k))
                             : int(as_position_independent_swizzle_layout(mn_layout<128>())(n, k)));
}
template <SM90::GMMA::Major M, class L> static uint64_t descriptor(L layout, int kk) {
    static char *memory = static_cast<char *>(aligned_alloc(1024, 65536));
    auto t = make_tensor(make_smem_ptr(reinterpret_cast<bf *>(memory)), layout);
    auto tiles =
        flat_divide(t, make_tile(size<0>(layout), _16{}))(_, _, 0, _); // [rows, 16, k blocks]
    // what CuTe's fragment does: descriptor of block 0, then iterate over k in units of uint128
    auto d0 = SM90::GMMA::make_gmma_desc<M>(tiles(_, _, 0));
    auto u128 = recast<uint128_t const>(tiles);
    uint32_t offset = uint32_t(u128.layout()(0, 0, kk));
    SM90::GMMA::DescriptorIterator it{d0};
    uint64_t d = (it + offset).desc_;
    return d & ~uint64_t(0x3fff) | (d & 0x3fff) - (d0.desc_ & 0x3fff) & 0x3fff;
}
uint64_t descriptor_k_major(int rows, int kk) {
    return rows == 64 ? descriptor<SM90::GMMA::Major::K>(k_layout<64>(), kk)
                      : descriptor<SM90::GMMA::Major::K>(k_layout<128>(), kk);
}
uint64_t descriptor_mn_major(int n, int kk) {
    return n == 64 ? descriptor<SM90::GMMA::Major::MN>(mn_layout<64>(), kk)
                   : descriptor<SM90::GMMA::Major::MN>(mn_layout<128>(), kk);
}
} // namespace cute_tables
