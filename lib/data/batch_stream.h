// Which tokens are in a batch? A pure function of (seed, index), so two integers save the position.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/token_file.h"

namespace stagedtrain::data {

// The position of a stream: index counts the sequences that it has returned so far.
struct Cursor {
  std::uint64_t seed = 0;
  std::int64_t index = 0;
  bool operator==(const Cursor&) const = default;
};

// Token ids of shape [rows, length + 1], row-major. The first `length` columns are the inputs, the
// last `length` columns the targets.
struct Batch {
  std::int64_t rows = 0, length = 0;
  std::vector<std::int32_t> tokens;
};

// A part of the windows that a stream returns from the sequence first_index on, in place of all.
// Windows are counted as in the first epoch, and begin where they begin in it. The subset is read
// again and again, each time in another order.
struct WindowSubset {
  std::vector<std::int64_t> windows;  // different ones, ascending; empty: all windows
  std::int64_t first_index = 0;
  std::int64_t generation = 0;  // each has orders of its own
};

// Returns the number of windows in an epoch over a file of this many tokens, or 0 if the file is
// too short for one.
std::int64_t windows_per_epoch(std::int64_t tokens, std::int64_t context);
// Returns the token at which the first window of an epoch starts. Requires at least one window.
std::int64_t epoch_offset(std::int64_t tokens, std::int64_t context, std::uint64_t seed,
                          std::int64_t epoch);

// Cuts training sequences of context + 1 tokens from a token file. Each epoch draws its own offset
// at which the windows start, then visits every window once in a pseudo-random order (a keyed
// permutation). The order does not depend on stages, so staged and scratch runs with the same seed
// see the same data in the same order.
class BatchStream {
 public:
  // Every token id must be below vocab. Throws Error(input) if the file is too short for one
  // window. A subset of all windows returns the first epoch as the plain stream does.
  BatchStream(std::shared_ptr<const TokenFile> file, std::int64_t context, std::int64_t vocab,
              Cursor start, WindowSubset subset = {});

  // Returns the next `sequences` sequences of context tokens, cut into rows of `length` tokens;
  // length must divide context. The batch has sequences * context / length rows. Throws
  // Error(input) if an id is not below vocab; the cursor then does not move.
  Batch next(std::int64_t sequences, std::int64_t length);
  Cursor cursor() const { return cursor_; }
  std::int64_t windows_per_epoch() const { return windows_; }

 private:
  std::int64_t window_start(std::int64_t index) const;
  std::int64_t selected_start(std::int64_t index) const;
  std::uint64_t order_key(std::uint64_t epoch) const;
  std::shared_ptr<const TokenFile> file_;
  std::int64_t context_, vocab_, windows_;
  Cursor cursor_;
  WindowSubset subset_;
};

// A fixed set of windows spread evenly over a file, on which evaluation losses are measured. It
// holds at most `tokens` predictions, but at least two windows (one if the file is too short for
// two), so that the standard error of the mean can be estimated. No token is predicted twice.
class EvaluationSet {
 public:
  // Throws Error(input) if the file is too short for one window.
  EvaluationSet(std::shared_ptr<const TokenFile> file, std::int64_t context, std::int64_t vocab,
                std::int64_t tokens);
  std::int64_t windows() const { return windows_; }
  // Returns windows [first, first + rows), each of context + 1 tokens. Throws Error(input) as
  // BatchStream::next does.
  Batch batch(std::int64_t first, std::int64_t rows) const;

 private:
  std::shared_ptr<const TokenFile> file_;
  std::int64_t context_, vocab_, windows_, available_;
};

}  // namespace stagedtrain::data
