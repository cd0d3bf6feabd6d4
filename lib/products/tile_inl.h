// Defines the inner loop of every matrix product: a tile of sums that stays in registers.
//
// A tile has kTileRows rows of two vectors. One step of the loop takes one index of the depth: it
// loads two vectors of b, broadcasts kTileRows numbers of a, and does 2 * kTileRows multiply-adds.
// Summation over the depth is in order and by one thread, so results depend on neither the number
// of threads nor the cut into tiles.
//
// Size: sums take 16 of the 32 registers of AVX-512, or 12 of the 16 of AVX2. On AVX2 the
// alternatives were no faster: 4 rows x 24 columns 0.97 to 1.02 times the speed, 3 rows x 32
// columns spilled registers (0.7 times), and operands read from memory within the multiply-add gave
// 0.87 times the speed.
//
// GCC adds instructions to this loop: it copies registers, reloads vectors from memory and keeps an
// address for every element, 24 instructions a step in total. On a virtual machine whose other
// hyper-thread is busy, a core has no slots to spare for them. With AVX2 and GCC the loop is
// therefore written out with inline assembly (multiply_add) and optimization barriers (forget):
// 20.9 instructions a step for 12 multiply-adds. Whole training steps became 1.06 to 1.09 times
// faster in busy minutes.
//
// Included once per processor target.
#if defined(STAGEDTRAIN_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STAGEDTRAIN_KERNELS_TILE_INL_H_
#undef STAGEDTRAIN_KERNELS_TILE_INL_H_
#else
#define STAGEDTRAIN_KERNELS_TILE_INL_H_
#endif

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// Unrolls loops over registers, whose count is small and fixed.
#undef STAGEDTRAIN_UNROLL
#if defined(__clang__)
#define STAGEDTRAIN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define STAGEDTRAIN_UNROLL _Pragma("GCC unroll 16")
#endif

// The number of rows of a tile, each two vectors wide.
#if HWY_CAP_GE512
inline constexpr int kTileRows = 8;
#else
inline constexpr int kTileRows = 6;
#endif

template <int R, int V>
struct Tile {
  Vec sum[R][V];
};

#if HWY_TARGET == HWY_AVX2 && defined(__GNUC__) && !defined(__clang__)
inline constexpr std::int64_t kStepsAtOnce = 4;
HWY_INLINE void multiply_add(Vec& sum, Vec a, Vec b) {
  asm("vfmadd231ps %2, %1, %0" : "+x"(sum.raw) : "x"(a.raw), "x"(b.raw));
}
// Hides how x was computed from the compiler, so that it keeps x in a register.
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

// Points to the R rows of a, with one pointer for every three rows. An x86 address can add one or
// two times the row distance to a pointer, so three rows need only one register.
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

// Adds the product of a column of a and a row of b to the tile. The column is `at` floats after the
// pointers.
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

// Adds a b over the depth to the tile. a(i, p) is a[i * row + p * next], and the rows of b are ldb
// apart.
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
