// Token ids as the rows of a batch see them: read where they lie, inputs and targets alike.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Row r = sequence * length + position has the id data[sequence * stride + position]. A batch of
// [B, length + 1] ids is {tokens, length, length + 1} as inputs, {tokens + 1, ...} as targets.
struct TokenView {
  const std::int32_t* data = nullptr;
  std::int64_t length = 0;  // tokens of a sequence
  std::int64_t stride = 0;  // ids from the start of one sequence to the next
  std::int64_t position(std::int64_t row) const { return row % length; }
  std::int32_t operator[](std::int64_t row) const {
    return data[row / length * stride + row % length];
  }
};

}  // namespace stagedtrain::kernels
