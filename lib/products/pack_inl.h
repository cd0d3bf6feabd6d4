// Copies one attention head into dense, padded scratch. Included once per processor target.
#if defined(STAGEDTRAIN_KERNELS_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STAGEDTRAIN_KERNELS_PACK_INL_H_
#undef STAGEDTRAIN_KERNELS_PACK_INL_H_
#else
#define STAGEDTRAIN_KERNELS_PACK_INL_H_
#endif

#include <hwy/cache_control.h>

#include "products/attention_scratch.h"
#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// Prefetches a row that will be read soon. The processor's own prefetcher stops at page boundaries,
// and rows of a batch are further apart than that. An address beyond the last row is harmless.
inline constexpr std::int64_t kRowsAhead = 8;
HWY_INLINE void prefetch_row(const float* row, std::int64_t width) {
  for (std::int64_t c = 0; c < width; c += kLine) hwy::Prefetch(row + c);
}

// Copies from[rows, width] to to[rows, padded(width)] and fills the padding with zeros.
HWY_INLINE void pack_rows(const float* from, std::int64_t from_stride, std::int64_t rows,
                          std::int64_t width, float* to) {
  const std::int64_t to_stride = padded(width);
  for (std::int64_t r = 0; r < rows; ++r, from += from_stride, to += to_stride) {
    prefetch_row(from + kRowsAhead * from_stride, width);
    if (width % lanes() == 0) {
      for (std::int64_t c = 0; c < width; c += lanes()) store(load(from + c), to + c);
    } else {
      for_vectors(0, width,
                  [&](std::int64_t c, auto io) HWY_ATTR { store(io.load(from + c), to + c); });
    }
    for (std::int64_t c = width; c < to_stride; ++c) to[c] = 0;
  }
}

// Computes to[0, width) = from[0, width) * factor for one row.
HWY_INLINE void unpack_row(const float* from, std::int64_t width, float factor, float* to) {
  for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
    io.store(hn::Mul(io.load(from + c), set(factor)), to + c);
  });
}

// Writes the transpose of rows [0, 4) and columns [0, 4) of `from`.
HWY_INLINE void transpose_4x4(const float* from, std::int64_t from_stride, float* to,
                              std::int64_t to_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 4; ++c) to[c * to_stride + r] = from[r * from_stride + c];
#else
  const hn::FixedTag<float, 4> d;
  const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + from_stride);
  const auto r2 = hn::LoadU(d, from + 2 * from_stride), r3 = hn::LoadU(d, from + 3 * from_stride);
  const auto even01 = hn::InterleaveLower(d, r0, r2), odd01 = hn::InterleaveLower(d, r1, r3);
  const auto even23 = hn::InterleaveUpper(d, r0, r2), odd23 = hn::InterleaveUpper(d, r1, r3);
  hn::StoreU(hn::InterleaveLower(d, even01, odd01), d, to);
  hn::StoreU(hn::InterleaveUpper(d, even01, odd01), d, to + to_stride);
  hn::StoreU(hn::InterleaveLower(d, even23, odd23), d, to + 2 * to_stride);
  hn::StoreU(hn::InterleaveUpper(d, even23, odd23), d, to + 3 * to_stride);
#endif
}

// Writes the transpose of from[rows, width] to to[width, to_stride]. Columns [rows, padded(rows))
// are set to zero.
HWY_INLINE void pack_transposed(const float* from, std::int64_t from_stride, std::int64_t rows,
                                std::int64_t width, float* to, std::int64_t to_stride) {
  const std::int64_t rows4 = rows / 4 * 4, width4 = width / 4 * 4;
  for (std::int64_t r = 0; r < rows4; r += 4) {
    for (std::int64_t i = 0; i < 4; ++i)
      prefetch_row(from + (r + kRowsAhead + i) * from_stride, width4);
    for (std::int64_t c = 0; c < width4; c += 4)
      transpose_4x4(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
  }
  for (std::int64_t c = 0; c < width; ++c) {
    for (std::int64_t r = c < width4 ? rows4 : 0; r < rows; ++r)
      to[c * to_stride + r] = from[r * from_stride + c];
    for (std::int64_t r = rows; r < padded(rows); ++r) to[c * to_stride + r] = 0;
  }
}

HWY_INLINE void set_zero(float* p, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) p[i] = 0;
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
