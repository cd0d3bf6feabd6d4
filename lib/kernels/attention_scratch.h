// How attention lays out its scratch: sizes that are the same for every processor target.
#pragma once

#include <cstdint>

#include "kernels/attention.h"

namespace stagedtrain::kernels {

inline constexpr std::int64_t kLine = 16;        // floats of a cache line, and of the widest vector
inline constexpr std::int64_t kMaxTileRows = 8;  // rows of a product in registers, at most
inline constexpr std::int64_t kMaxBlockRows = 64;  // queries of a backward block, at most

inline constexpr std::int64_t padded(std::int64_t n) { return (n + kLine - 1) / kLine * kLine; }

// From one row of a [.., T] array to the next: one line more than needed, because rows a power of
// two apart would share a few sets of the cache.
inline std::int64_t score_stride(const AttentionShape& shape) {
  return padded(shape.length) + kLine;
}
inline std::int64_t head_stride(const AttentionShape& shape) { return padded(shape.head_dim); }

// Hands out pieces of a buffer, each starting on a line.
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
