// The heart of every matrix product: a tile of sums in registers. Included once per processor
// target.
#if defined(STAGEDTRAIN_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STAGEDTRAIN_KERNELS_TILE_INL_H_
#undef STAGEDTRAIN_KERNELS_TILE_INL_H_
#else
#define STAGEDTRAIN_KERNELS_TILE_INL_H_
#endif

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// For loops of a fixed, small count over registers.
#undef STAGEDTRAIN_UNROLL
#if defined(__clang__)
#define STAGEDTRAIN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define STAGEDTRAIN_UNROLL _Pragma("GCC unroll 16")
#endif

// Rows of a tile, two vectors wide: its sums take 16 of 32 or 12 of 16 registers.
#if HWY_CAP_GE512
inline constexpr int kTileRows = 8;
#else
inline constexpr int kTileRows = 6;
#endif

template <int R, int V>
struct Tile {
  Vec sum[R][V];
};

// tile += a b over depth: a(i, p) is a[i * row + p * next], b's rows are ldb apart.
template <int R, int V>
HWY_INLINE void accumulate(std::int64_t depth, const float* HWY_RESTRICT a, std::int64_t row,
                           std::int64_t next, const float* HWY_RESTRICT b, std::int64_t ldb,
                           Tile<R, V>& tile) {
  for (std::int64_t p = 0; p < depth; ++p, a += next, b += ldb) {
    Vec right[V];
    STAGEDTRAIN_UNROLL for (int j = 0; j < V; ++j) { right[j] = load(b + j * lanes()); }
    STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) {
      const Vec left = set(a[i * row]);
      STAGEDTRAIN_UNROLL for (int j = 0; j < V; ++j) {
        tile.sum[i][j] = hn::MulAdd(left, right[j], tile.sum[i][j]);
      }
    }
  }
}

template <int R, int V>
HWY_INLINE void clear(Tile<R, V>& tile) {
  STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) {
    STAGEDTRAIN_UNROLL for (int j = 0; j < V; ++j) { tile.sum[i][j] = zero(); }
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
