// Computes small matrix products whose operands stay in the cache, for attention. Included once per
// processor target.
#if defined(STAGEDTRAIN_KERNELS_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STAGEDTRAIN_KERNELS_PRODUCT_INL_H_
#undef STAGEDTRAIN_KERNELS_PRODUCT_INL_H_
#else
#define STAGEDTRAIN_KERNELS_PRODUCT_INL_H_
#endif

#include "products/tile_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// Computes c = a b, or c += a b if kAccumulate, for R rows and V vectors of columns. a(i, p) is a[p
// * lda + i] if kTransposed, and a[i * lda + p] otherwise.
template <bool kTransposed, bool kAccumulate, int R, int V>
HWY_INLINE void product_tile(std::int64_t depth, const float* HWY_RESTRICT a, std::int64_t lda,
                             const float* HWY_RESTRICT b, std::int64_t ldb, float* HWY_RESTRICT c,
                             std::int64_t ldc) {
  const std::int64_t row = kTransposed ? 1 : lda, next = kTransposed ? lda : 1;
  Tile<R, V> tile;
  STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) {
    STAGEDTRAIN_UNROLL for (int j = 0; j < V; ++j) {
      tile.sum[i][j] = kAccumulate ? load(c + i * ldc + j * lanes()) : zero();
    }
  }
  accumulate<R, V>(depth, a, row, next, b, ldb, tile);
  STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) {
    STAGEDTRAIN_UNROLL for (int j = 0; j < V; ++j) {
      store(tile.sum[i][j], c + i * ldc + j * lanes());
    }
  }
}

template <bool kTransposed, bool kAccumulate, int R>
HWY_NOINLINE void product_rows(std::int64_t columns, std::int64_t depth, const float* a,
                               std::int64_t lda, const float* b, std::int64_t ldb, float* c,
                               std::int64_t ldc) {
  std::int64_t n = 0;
  for (; n + 2 * lanes() <= columns; n += 2 * lanes())
    product_tile<kTransposed, kAccumulate, R, 2>(depth, a, lda, b + n, ldb, c + n, ldc);
  for (; n < columns; n += lanes())
    product_tile<kTransposed, kAccumulate, R, 1>(depth, a, lda, b + n, ldb, c + n, ldc);
}

// Computes c[rows, columns] = a b, or c += a b if kAccumulate. rows <= kTileRows, and columns must
// be a multiple of 16, because rows of b and c are read and written in whole vectors.
template <bool kTransposed, bool kAccumulate, int R = kTileRows>
HWY_INLINE void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, const float* a,
                        std::int64_t lda, const float* b, std::int64_t ldb, float* c,
                        std::int64_t ldc) {
  if (rows == R) {
    product_rows<kTransposed, kAccumulate, R>(columns, depth, a, lda, b, ldb, c, ldc);
  } else if constexpr (R > 1) {
    product<kTransposed, kAccumulate, R - 1>(rows, columns, depth, a, lda, b, ldb, c, ldc);
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
