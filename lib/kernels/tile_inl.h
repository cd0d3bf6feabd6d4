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

// GCC spends instructions on such loops that are not in them: it copies registers, loads vectors
// again from memory, and keeps an address for every element. A core whose other half is taken by
// somebody else's thread has none to spare. So the loop is spelt out where that was measured:
// 20.9 instructions a step for 12 of arithmetic, where 24 took up to a fifth longer.
#if HWY_TARGET == HWY_AVX2 && defined(__GNUC__) && !defined(__clang__)
inline constexpr std::int64_t kStepsAtOnce = 4;
HWY_INLINE void multiply_add(Vec& sum, Vec a, Vec b) {
  asm("vfmadd231ps %2, %1, %0" : "+x"(sum.raw) : "x"(a.raw), "x"(b.raw));
}
// From here on the compiler does not know how x was computed.
template <class T>
HWY_INLINE void forget(T& x) {
  asm("" : "+r"(x));
}
#else
inline constexpr std::int64_t kStepsAtOnce = 1;
HWY_INLINE void multiply_add(Vec& sum, Vec a, Vec b) { sum = hn::MulAdd(a, b, sum); }
template <class T>
HWY_INLINE void forget(T&) {}
#endif

// Rows of a, three to a pointer: an address holds a distance once or twice beside it.
template <int R>
struct RowPointers {
  const float* first[(R + 2) / 3];
  std::int64_t row;

  HWY_INLINE RowPointers(const float* a, std::int64_t distance) : row(distance) {
    STAGEDTRAIN_UNROLL for (int i = 0; i < R; i += 3) { first[i / 3] = a + i * row; }
  }
  HWY_INLINE void advance(std::int64_t floats) {
    STAGEDTRAIN_UNROLL for (int i = 0; i < R; i += 3) {
      first[i / 3] += floats;
      forget(first[i / 3]);
    }
    forget(row);
  }
};

// tile += column of a times row of b; the column lies `at` floats on.
template <int R, int V>
HWY_INLINE void accumulate_step(const RowPointers<R>& a, std::int64_t at, const float* b,
                                Tile<R, V>& tile) {
  Vec right[V];
  STAGEDTRAIN_UNROLL for (int j = 0; j < V; ++j) { right[j] = load(b + j * lanes()); }
  STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) {
    const Vec left = set(a.first[i / 3][i % 3 * a.row + at]);
    STAGEDTRAIN_UNROLL for (int j = 0; j < V; ++j) { multiply_add(tile.sum[i][j], left, right[j]); }
  }
}

// tile += a b over depth: a(i, p) is a[i * row + p * next], b's rows are ldb apart.
template <int R, int V>
HWY_INLINE void accumulate(std::int64_t depth, const float* HWY_RESTRICT a, std::int64_t row,
                           std::int64_t next, const float* HWY_RESTRICT b, std::int64_t ldb,
                           Tile<R, V>& tile) {
  RowPointers<R> rows(a, row);
  const float* const end = b + depth * ldb;
  const float* const last = end - depth % kStepsAtOnce * ldb;
  while (b != last) {
    STAGEDTRAIN_UNROLL for (int i = 0; i < kStepsAtOnce; ++i) {
      accumulate_step(rows, i * next, b + i * ldb, tile);
    }
    rows.advance(kStepsAtOnce * next);
    b += kStepsAtOnce * ldb;
    forget(b);
  }
  for (std::int64_t at = 0; b != end; b += ldb, at += next) accumulate_step(rows, at, b, tile);
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
