// Multiplies matrices with a packed right-hand side, fused with scale, bias, addition and GELU.
#pragma once

#include <algorithm>
#include <cstdint>

namespace stagedtrain::kernels {

// A right-hand side [depth, columns] in its original place. Element (p, c) is data[c * stride + p]
// if transposed (a weight of shape (out, in) that multiplies a layer's input), and data[p * stride
// + c] otherwise.
struct Factor {
  const float* data = nullptr;
  std::int64_t stride = 0;
  bool transposed = false;
};

// Columns are packed side by side in panels of two vectors. Threads divide the columns at multiples
// of kPackGrain, which is a multiple of every panel's width.
inline constexpr std::int64_t kPackGrain = 32;
inline constexpr std::int64_t packed_size(std::int64_t depth, std::int64_t columns) {
  return depth * ((columns + kPackGrain - 1) / kPackGrain * kPackGrain);
}

// Packs columns [begin, end) of a [depth, columns] factor. begin must be a multiple of kPackGrain,
// and so must end unless it is the number of columns. packed holds packed_size(depth, columns)
// floats.
void pack(const Factor& factor, std::int64_t depth, std::int64_t begin, std::int64_t end,
          float* packed);

// c = scale a b (+ c) (+ bias), where a [rows, depth] and c [rows, columns] are row-major.
struct PackedProduct {
  std::int64_t depth = 0, columns = 0;
  const float* a = nullptr;
  std::int64_t a_stride = 0;
  const float* packed = nullptr;  // b
  float* c = nullptr;
  std::int64_t c_stride = 0;
  float scale = 1;
  bool add = false;             // whether the product is added to c or replaces it
  const float* bias = nullptr;  // [columns], or null
  float* gelu = nullptr;        // if not null, receives gelu(c) (gelu.h), laid out as c
};

// Computes rows [begin, end). Each element is summed over the depth in order, so it does not depend
// on how rows or columns are split.
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
  // From one row to the next, of dy and of dw, where they are parts of wider ones; 0: outs and ins.
  std::int64_t dy_stride = 0, dw_stride = 0;
};
struct IndexRange {
  std::int64_t begin = 0, end = 0;
};

// The widest block of inputs that one call accepts. Blocks begin at multiples of kPackGrain.
inline constexpr std::int64_t kMostIns = 256;
// The number of rows that one call packs at a time, and an upper bound of the outputs that it
// packs.
inline constexpr std::int64_t kOuterRows = 256, kMostOuterOuts = 128;
// The number of floats of scratch for one call.
inline constexpr std::int64_t outer_product_scratch() {
  return packed_size(kOuterRows, kMostIns) + kOuterRows * kMostOuterOuts;
}
// Adds to the block outs x ins of dw. The result does not depend on how dw is divided into blocks.
void add_outer_product(const OuterProduct& product, IndexRange outs, IndexRange ins,
                       float* scratch);

}  // namespace stagedtrain::kernels
