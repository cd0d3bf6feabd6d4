// Batches in an order that is a pure function of (seed, index): two integers say where it stands.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/token_file.h"

namespace stagedtrain::data {

// Where a stream stands: sequences handed out so far.
struct Cursor {
  std::uint64_t seed = 0;
  std::int64_t index = 0;
  bool operator==(const Cursor&) const = default;
};

// rows x (length + 1) token ids, row by row: inputs are [0, length), targets [1, length + 1).
struct Batch {
  std::int64_t rows = 0, length = 0;
  std::vector<std::int32_t> tokens;
};

// How many windows an epoch has in a file of so many tokens; 0 if it is too short for one.
std::int64_t windows_per_epoch(std::int64_t tokens, std::int64_t context);

// Training sequences of context + 1 tokens cut from a token file. Each epoch cuts the file at an
// offset of its own and visits every window once in a pseudo-random order (a keyed permutation), so
// staged and scratch runs of one seed see the same data in the same order whatever their stages.
class BatchStream {
 public:
  // vocab: every id must be below it. Throws Error(input) if the file is too short for one window.
  BatchStream(std::shared_ptr<const TokenFile> file, std::int64_t context, std::int64_t vocab,
              Cursor start);

  // The next sequences, each of context tokens, cut into pieces of length tokens (length divides
  // context): sequences * context / length rows. Throws Error(input) at an id that is not below
  // vocab; the cursor then stays where it was.
  Batch next(std::int64_t sequences, std::int64_t length);
  Cursor cursor() const { return cursor_; }
  std::int64_t windows_per_epoch() const { return windows_; }

 private:
  std::int64_t window_start(std::int64_t index) const;
  std::shared_ptr<const TokenFile> file_;
  std::int64_t context_, vocab_, windows_;
  Cursor cursor_;
};

// Windows spread evenly over a file, always the same ones: the fixed set that losses are measured
// on. At most `tokens` predictions, but at least two windows, so that the error of their mean can
// be estimated (one where the file is too short for two). None is predicted twice.
class EvaluationSet {
 public:
  // Throws Error(input) if the file is too short for one window.
  EvaluationSet(std::shared_ptr<const TokenFile> file, std::int64_t context, std::int64_t vocab,
                std::int64_t tokens);
  std::int64_t windows() const { return windows_; }
  // Windows [first, first + rows), each context + 1 tokens. Throws Error(input) as BatchStream
  // does.
  Batch batch(std::int64_t first, std::int64_t rows) const;

 private:
  std::shared_ptr<const TokenFile> file_;
  std::int64_t context_, vocab_, windows_, available_;
};

}  // namespace stagedtrain::data
