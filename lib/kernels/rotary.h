// Computes rotary position embeddings: each pair in a head is rotated by an angle that grows with
// its position (arXiv 2104.09864).
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Elements i and i + turned / 2 of a head form a pair; those from `turned` on stay as they are. cos
// and sin have the shape [at least length, turned / 2].
struct Rotation {
  const float *cos = nullptr, *sin = nullptr;
  std::int64_t length = 0;  // tokens in a sequence; row r is at position r % length
  std::int64_t heads = 0, head_dim = 0, turned = 0;
  std::int64_t stride = 0;  // from one row to the next; the heads to rotate are its first columns
};

// Rotates rows [begin, end) of x in place. If backward is true, the rotation is inverted, which is
// also how gradients pass through it.
void rotate(const Rotation& rotation, std::int64_t begin, std::int64_t end, bool backward,
            float* x);

}  // namespace stagedtrain::kernels
