// Defines how attention lays out its scratch, with sizes that hold for every processor target.
#pragma once

#include <cstdint>

#include "products/attention.h"

namespace stagedtrain::kernels {

inline constexpr std::int64_t kLine = 16;        // floats in a cache line, and in the widest vector
inline constexpr std::int64_t kMaxTileRows = 8;  // upper bound of the rows of a register tile
inline constexpr std::int64_t kMaxBlockRows = 64;  // upper bound of the queries of a backward block

inline constexpr std::int64_t padded(std::int64_t n) { return (n + kLine - 1) / kLine * kLine; }

// The distance between the rows of a [.., T] array. It is one cache line more than needed, because
// rows a power of two apart would compete for a few sets of the cache.
inline std::int64_t score_stride(const AttentionShape& shape) {
  return padded(shape.length) + kLine;
}
inline std::int64_t head_stride(const AttentionShape& shape) { return padded(shape.head_dim); }

// Hands out pieces of a buffer, each aligned to a cache line.
class Scratch {
 public:
  explicit Scratch(float* begin) {
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    constexpr std::uintptr_t bytes = kLine * sizeof(float);
    next_ = begin + (bytes - address % bytes) % bytes / sizeof(float);
  }
  float* take(std::int64_t floats) {
    float* piece = next_;
    next_ += padded(floats);
    return piece;
  }

 private:
  float* next_;
};

}  // namespace stagedtrain::kernels
