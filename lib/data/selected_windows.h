// Which windows does a subset of the training data have, and which windows are there to choose
// from? (data.select, docs/policies.md)
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "data/batch_stream.h"

namespace stagedtrain::data {

// Returns how likely a window with this gain is drawn, relative to others: 1 + g + g^2 / 2, the
// second-order Taylor expansion of exp(g), as in a softmax of the gains.
double selection_weight(double gain);

// Draws `count` different windows, one after another, each with a probability in proportion to the
// weights of those that are left. A pure function of its arguments. Returns them in ascending
// order.
std::vector<std::int64_t> draw_windows(std::span<const float> gains, std::int64_t count,
                                       std::uint64_t seed, std::int64_t generation);

// Returns the number of windows in a subset of this share: at least 1.
std::int64_t subset_size(std::int64_t windows, double share);

// Divides the windows [0, windows) at random into partitions of `size` windows; the last may be
// smaller.
class WindowPartitions {
 public:
  WindowPartitions(std::int64_t windows, std::int64_t size, std::uint64_t key);
  std::int64_t count() const { return (windows_ + size_ - 1) / size_; }
  std::vector<std::int64_t> windows_of(std::int64_t partition) const;

 private:
  std::int64_t windows_, size_;
  std::uint64_t key_;
};

// The windows that a subset is chosen from: those of the first epoch of the run's data order.
class CandidateWindows {
 public:
  // Throws Error(input) if the file is too short for one window.
  CandidateWindows(std::shared_ptr<const TokenFile> file, std::int64_t context, std::int64_t vocab,
                   std::uint64_t seed);
  std::int64_t count() const { return count_; }
  // Reads windows as rows of context + 1 tokens. Throws Error(input) if an id is not below vocab.
  Batch batch(std::span<const std::int64_t> windows) const;

 private:
  std::shared_ptr<const TokenFile> file_;
  std::int64_t context_, vocab_, count_, offset_;
};

}  // namespace stagedtrain::data
