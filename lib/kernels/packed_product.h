// Matrix products with a packed right-hand side, and what follows them done in the same tile.
#pragma once

#include <algorithm>
#include <cstdint>

namespace stagedtrain::kernels {

// A right-hand side [depth, columns] where it lies: element (p, c) is data[c * stride + p] where
// transposed (a weight (out, in) that a layer's input is multiplied by), else data[p * stride + c].
struct Factor {
  const float* data = nullptr;
  std::int64_t stride = 0;
  bool transposed = false;
};

// Columns are packed side by side in panels as wide as registers hold them; cuts between threads
// lie at multiples of kPackGrain, which every panel divides.
inline constexpr std::int64_t kPackGrain = 32;
inline constexpr std::int64_t packed_size(std::int64_t depth, std::int64_t columns) {
  return depth * ((columns + kPackGrain - 1) / kPackGrain * kPackGrain);
}

// Packs columns [begin, end) of a [depth, columns] factor. begin is a multiple of kPackGrain, and
// so is end unless it is the last column. packed: room of packed_size(depth, columns).
void pack(const Factor& factor, std::int64_t depth, std::int64_t begin, std::int64_t end,
          float* packed);

// c = scale a b (+ c) (+ bias), a [rows, depth] and c [rows, columns] row-major.
struct PackedProduct {
  std::int64_t depth = 0, columns = 0;
  const float* a = nullptr;
  std::int64_t a_stride = 0;
  const float* packed = nullptr;  // b
  float* c = nullptr;
  std::int64_t c_stride = 0;
  float scale = 1;
  bool add = false;             // to what c holds
  const float* bias = nullptr;  // [columns], or null
  float* gelu = nullptr;        // gelu(c) (gelu.h), laid out as c; or null
};

// Rows [begin, end). Each number is summed over the depth in order: it depends neither on how rows
// are split nor on how columns are.
void multiply(const PackedProduct& product, std::int64_t begin, std::int64_t end);

// dw += scale dy^T x: the gradient of a weight [outs, ins], summed over all rows in order.
struct OuterProduct {
  std::int64_t rows = 0;
  const float* dy = nullptr;  // [rows, outs]
  std::int64_t outs = 0;
  const float* x = nullptr;  // [rows, ins]
  std::int64_t ins = 0;
  float* dw = nullptr;
  float scale = 1;
};
struct Block {
  std::int64_t begin = 0, end = 0;
};

// The widest block of ins that one call may be given; blocks begin at multiples of kPackGrain.
inline constexpr std::int64_t kMostIns = 256;
// Rows that one call packs at once, and the most outs of them that any processor's tiles take.
inline constexpr std::int64_t kOuterRows = 256, kMostOuterOuts = 128;
// Floats of scratch for one call in progress.
inline constexpr std::int64_t outer_product_scratch() {
  return packed_size(kOuterRows, kMostIns) + kOuterRows * kMostOuterOuts;
}
// The outs x ins block of dw. The result does not depend on how dw is cut into blocks.
void add_outer_product(const OuterProduct& product, Block outs, Block ins, float* scratch);

}  // namespace stagedtrain::kernels
