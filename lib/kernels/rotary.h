// Rotary positions: the halves of each head turned by an angle that grows with the position.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Number i and number i + head_dim / 2 of a head turn together. cos, sin: [length at least,
// head_dim / 2].
struct Rotation {
  const float *cos = nullptr, *sin = nullptr;
  std::int64_t length = 0;  // of a sequence: row r is at position r % length
  std::int64_t heads = 0, head_dim = 0;
  std::int64_t stride = 0;  // from one row to the next; the heads that turn are its first columns
};

// Turns rows [begin, end) of x in place, forward or (backward true) back, which is also how
// gradients go back.
void rotate(const Rotation& rotation, std::int64_t begin, std::int64_t end, bool backward,
            float* x);

}  // namespace stagedtrain::kernels
