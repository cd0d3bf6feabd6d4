// Multiplies few rows by a weight that is read from memory once, as a decoder does for each token.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// The most rows for which a call reads the weight only once.
inline constexpr std::int64_t kFewRows = 4;

// y = x w^T + bias, with x [rows, ins], w [outs, ins] and y [rows, outs], all row-major. Requires
// 1 <= rows <= kFewRows. w is float, or bfloat16 in its bits; one of both pointers is null.
struct FewRowProduct {
  std::int64_t rows = 0, ins = 0, outs = 0;
  const float* x = nullptr;
  const float* w = nullptr;
  const std::uint16_t* w_bf16 = nullptr;
  const float* bias = nullptr;  // [outs], or null
  float* y = nullptr;
};

// Computes outputs [begin, end) of all rows. Sums are in float32, in an order that depends on the
// processor and on ins only: not on rows, nor on how outputs are divided among threads.
void multiply_few_rows(const FewRowProduct& product, std::int64_t begin, std::int64_t end);

}  // namespace stagedtrain::kernels
