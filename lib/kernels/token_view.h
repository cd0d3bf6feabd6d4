// Gives kernels the token ids of a batch in place, both as inputs and as targets.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// The id of row r = sequence * length + position is data[sequence * stride + position]. A batch of
// [B, length + 1] ids is {tokens, length, length + 1} as inputs and {tokens + 1, length, length +
// 1} as targets.
struct TokenView {
  const std::int32_t* data = nullptr;
  std::int64_t length = 0;  // tokens in a sequence
  std::int64_t stride = 0;  // ids from the start of one sequence to the start of the next
  std::int64_t position(std::int64_t row) const { return row % length; }
  std::int32_t operator[](std::int64_t row) const {
    return data[row / length * stride + row % length];
  }
};

}  // namespace stagedtrain::kernels
