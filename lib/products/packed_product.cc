// Computes matrix products with a packed right-hand side, near the peak rate of multiply-adds.
//
// The scheme is the packed, register-tiled product of Goto and van de Geijn (ACM TOMS 34(3), 2008),
// arranged for training steps. The right-hand side is packed into panels of two vectors of columns,
// once for all rows that it multiplies. multiply_range takes kBlockRows rows at a time: for each
// panel it goes through all tiles of the block, so the panel stays in the first-level cache and the
// block's left-hand side in the second. Scale, bias and the addition to c are applied while a tile
// is still in registers; GELU follows while the block is in the cache.
//
// A weight's gradient dw += dy^T x uses the same tiles. The depth is then the rows of the batch:
// kOuterRows of them are packed at a time, x into panels and dy into tiles of kTileRows outputs.
//
// Invariant: each element is summed over the depth in order, by one thread. So results depend
// neither on the number of threads nor on how rows and columns are cut.
//
// Rejected:
// - MKL packs the weights again for every product, and applies beta and bias in another pass.
// - Cutting the depth into pieces of 256 to 512 made no difference, and multiplying weight
//   gradients without packing took 1.02 to 1.7 times as long.
// - GELU panel by panel missed the cache.
// - Strassen's algorithm would save an eighth of the multiplications, but a zero weight would no
//   longer give an exact zero, which exact growth relies on.
#include "products/packed_product.h"

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "products/packed_product.cc"
#include <hwy/foreach_target.h>

#include "kernels/gelu_inl.h"
#include "products/pack_inl.h"
#include "products/tile_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

inline constexpr std::int64_t kBlockRows = 16 * kTileRows;

HWY_INLINE std::int64_t panel_width() { return 2 * lanes(); }

// Several panels are packed together, so that more than one cache line of a row is read at a time.
inline constexpr std::int64_t kPanelsAtOnce = 4;

// Packs whole panels that lie side by side in rows, as to[panel][depth][panel_width()].
HWY_INLINE void pack_row_panels(const float* HWY_RESTRICT from, std::int64_t stride,
                                std::int64_t depth, std::int64_t panels, float* HWY_RESTRICT to) {
  const std::int64_t width = panel_width();
  for (std::int64_t p = 0; p < depth; ++p, from += stride, to += width) {
    prefetch_row(from + kRowsAhead * stride, panels * width);
    for (std::int64_t i = 0; i < panels; ++i) {
      store(load(from + i * width), to + i * depth * width);
      store(load(from + i * width + lanes()), to + i * depth * width + lanes());
    }
  }
}

// Packs the last columns, which are fewer than a panel has, and pads them with zeros.
void pack_row_rest(const float* from, std::int64_t stride, std::int64_t depth, std::int64_t columns,
                   float* to) {
  for (std::int64_t p = 0; p < depth; ++p, from += stride, to += panel_width()) {
    std::copy(from, from + columns, to);
    std::fill(to + columns, to + panel_width(), 0.0f);
  }
}

// Packs one panel of a transposed factor, each of whose columns is a row of `from`. Columns beyond
// `columns` are zeros.
void pack_transposed_panel(const float* from, std::int64_t stride, std::int64_t depth,
                           std::int64_t columns, float* to) {
  const std::int64_t width = panel_width();
  if (columns < width) std::fill(to, to + depth * width, 0.0f);
  const std::int64_t square_depth = depth / 4 * 4, square_columns = columns / 4 * 4;
  for (std::int64_t c = 0; c < square_columns; c += 4)
    for (std::int64_t p = 0; p < square_depth; p += 4)
      transpose_4x4(from + c * stride + p, stride, to + p * width + c, width);
  for (std::int64_t c = 0; c < columns; ++c)
    for (std::int64_t p = c < square_columns ? square_depth : 0; p < depth; ++p)
      to[p * width + c] = from[c * stride + p];
}

void pack_columns(const Factor& factor, std::int64_t depth, std::int64_t begin, std::int64_t end,
                  float* packed) {
  const std::int64_t width = panel_width();
  if (factor.transposed) {
    for (std::int64_t c = begin; c < end; c += width)
      pack_transposed_panel(factor.data + c * factor.stride, factor.stride, depth,
                            std::min(width, end - c), packed + c * depth);
    return;
  }
  const std::int64_t whole = begin + (end - begin) / width * width;
  for (std::int64_t c = begin; c < whole; c += kPanelsAtOnce * width)
    pack_row_panels(factor.data + c, factor.stride, depth,
                    std::min(kPanelsAtOnce, (whole - c) / width), packed + c * depth);
  if (whole < end)
    pack_row_rest(factor.data + whole, factor.stride, depth, end - whole, packed + whole * depth);
}

// Scales `sums`, applies bias and addition, and writes them to a panel that the matrix does not
// fill.
void finish_part(const PackedProduct& p, const float* sums, std::int64_t rows, std::int64_t row,
                 std::int64_t column) {
  const std::int64_t columns = p.columns - column;
  for (std::int64_t i = 0; i < rows; ++i) {
    float* c = p.c + (row + i) * p.c_stride + column;
    for (std::int64_t j = 0; j < columns; ++j) {
      const float value = sums[i * panel_width() + j] * p.scale;
      c[j] = (p.add ? c[j] : 0) + (p.bias != nullptr ? value + p.bias[column + j] : value);
    }
  }
}

template <int R, bool kAdd>
HWY_INLINE void finish_whole(const PackedProduct& p, const Tile<R, 2>& tile, float* c,
                             std::int64_t column) {
  const Vec scale = set(p.scale);
  const Vec first = p.bias != nullptr ? load(p.bias + column) : zero();
  const Vec second = p.bias != nullptr ? load(p.bias + column + lanes()) : zero();
  STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) {
    Vec left = hn::MulAdd(tile.sum[i][0], scale, first);
    Vec right = hn::MulAdd(tile.sum[i][1], scale, second);
    if (kAdd) left = hn::Add(load(c), left);
    if (kAdd) right = hn::Add(load(c + lanes()), right);
    store(left, c);
    store(right, c + lanes());
    c += p.c_stride;
  }
}

// Computes R rows of one panel. a(i, p) is a[p * R + i] if kDense, and a[i * stride + p] otherwise.
template <int R, bool kDense>
HWY_NOINLINE void multiply_tile(const PackedProduct& p, const float* a, std::int64_t row,
                                std::int64_t column) {
  Tile<R, 2> tile;
  clear(tile);
  const float* panel = p.packed + column * p.depth;
  if (kDense)
    accumulate(p.depth, a, 1, R, panel, 2 * lanes(), tile);
  else
    accumulate(p.depth, a, p.a_stride, 1, panel, 2 * lanes(), tile);
  if (p.columns - column < panel_width()) {
    HWY_ALIGN float sums[R * 2 * HWY_LANES(float)];
    STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) {
      store(tile.sum[i][0], sums + 2 * i * lanes());
      store(tile.sum[i][1], sums + (2 * i + 1) * lanes());
    }
    return finish_part(p, sums, R, row, column);
  }
  float* c = p.c + row * p.c_stride + column;
  if (p.add)
    finish_whole<R, true>(p, tile, c, column);
  else
    finish_whole<R, false>(p, tile, c, column);
}

template <bool kDense, int R = kTileRows>
HWY_INLINE void multiply_rows(const PackedProduct& p, const float* a, std::int64_t row,
                              std::int64_t rows, std::int64_t column) {
  if (rows == R) {
    multiply_tile<R, kDense>(p, a, row, column);
  } else if constexpr (R > 1) {
    multiply_rows<kDense, R - 1>(p, a, row, rows, column);
  }
}

// Applies GELU to the rows [begin, end) of c while they are in the cache.
void gelu_block(const PackedProduct& p, std::int64_t begin, std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r)
    for_vectors(0, p.columns, [&](std::int64_t c, auto io) HWY_ATTR {
      io.store(gelu_of(io.load(p.c + r * p.c_stride + c)), p.gelu + r * p.c_stride + c);
    });
}

void multiply_range(const PackedProduct& p, std::int64_t begin, std::int64_t end) {
  for (std::int64_t block = begin; block < end; block += kBlockRows) {
    const std::int64_t stop = std::min(end, block + kBlockRows);
    for (std::int64_t column = 0; column < p.columns; column += panel_width())
      for (std::int64_t r = block; r < stop; r += kTileRows)
        multiply_rows<false>(p, p.a + r * p.a_stride, r,
                             std::min<std::int64_t>(kTileRows, stop - r), column);
    if (p.gelu != nullptr) gelu_block(p, block, stop);
  }
}

// The number of tiles of outputs that are packed together, so that several cache lines of each row
// of dy are read at a time.
inline constexpr std::int64_t kPackedTiles = 16;
inline constexpr std::int64_t kPackedOuts = kPackedTiles * kTileRows;
static_assert(kPackedOuts <= kMostOuterOuts);  // the scratch has no space for more

// Packs the first R * tiles columns of `from` as to[tile][depth][R].
template <int R>
HWY_INLINE void pack_outs(const float* HWY_RESTRICT from, std::int64_t stride, std::int64_t depth,
                          std::int64_t tiles, float* HWY_RESTRICT to) {
  for (std::int64_t p = 0; p < depth; ++p, from += stride, to += R) {
    prefetch_row(from + kRowsAhead * stride, R * tiles);
    for (std::int64_t t = 0; t < tiles; ++t)
      STAGEDTRAIN_UNROLL for (int i = 0; i < R; ++i) to[t * depth * R + i] = from[t * R + i];
  }
}

// Packs the last outputs, which are fewer than a tile has.
template <int R = kTileRows - 1>
HWY_INLINE void pack_last(const float* from, std::int64_t stride, std::int64_t depth,
                          std::int64_t count, float* to) {
  if (count == R) {
    pack_outs<R>(from, stride, depth, 1, to);
  } else if constexpr (R > 1) {
    pack_last<R - 1>(from, stride, depth, count, to);
  }
}

// Adds the contribution of batch rows [first, first + p.depth), whose x is packed, to the gradient
// of `outs`.
void add_outs(const OuterProduct& o, const PackedProduct& p, std::int64_t first, IndexRange outs,
              float* packed_dy) {
  const std::int64_t count = outs.end - outs.begin, tiles = count / kTileRows;
  const std::int64_t stride = o.dy_stride > 0 ? o.dy_stride : o.outs;
  const float* dy = o.dy + first * stride + outs.begin;
  pack_outs<kTileRows>(dy, stride, p.depth, tiles, packed_dy);
  pack_last(dy + tiles * kTileRows, stride, p.depth, count % kTileRows,
            packed_dy + tiles * p.depth * kTileRows);
  for (std::int64_t column = 0; column < p.columns; column += panel_width())
    for (std::int64_t i = 0; i < count; i += kTileRows)
      multiply_rows<true>(p, packed_dy + i * p.depth, outs.begin + i,
                          std::min<std::int64_t>(kTileRows, count - i), column);
}

void add_outer_block(const OuterProduct& o, IndexRange outs, IndexRange ins, float* scratch) {
  float *packed_x = scratch, *packed_dy = scratch + kOuterRows * kMostIns;
  const std::int64_t columns = ins.end - ins.begin;
  for (std::int64_t first = 0; first < o.rows; first += kOuterRows) {
    const std::int64_t depth = std::min(kOuterRows, o.rows - first);
    pack_columns({o.x + first * o.ins + ins.begin, o.ins, false}, depth, 0, columns, packed_x);
    PackedProduct p{depth,
                    columns,
                    nullptr,
                    0,
                    packed_x,
                    o.dw + ins.begin,
                    o.dw_stride > 0 ? o.dw_stride : o.ins,
                    o.scale,
                    true};
    for (std::int64_t out = outs.begin; out < outs.end; out += kPackedOuts)
      add_outs(o, p, first, {out, std::min(outs.end, out + kPackedOuts)}, packed_dy);
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(pack_columns);
HWY_EXPORT(multiply_range);
HWY_EXPORT(add_outer_block);

void pack(const Factor& factor, std::int64_t depth, std::int64_t begin, std::int64_t end,
          float* packed) {
  HWY_DYNAMIC_DISPATCH(pack_columns)(factor, depth, begin, end, packed);
}

void multiply(const PackedProduct& product, std::int64_t begin, std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(multiply_range)(product, begin, end);
}

void add_outer_product(const OuterProduct& product, IndexRange outs, IndexRange ins,
                       float* scratch) {
  HWY_DYNAMIC_DISPATCH(add_outer_block)(product, outs, ins, scratch);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
