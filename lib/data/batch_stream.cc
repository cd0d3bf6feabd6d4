// Cuts a token file into windows: shuffled for training, evenly spaced for evaluation.
#include "data/batch_stream.h"

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"
#include "data/permutation.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

void require_window(const TokenFile& file, std::int64_t context) {
  ST_CHECK(context >= 1, "context {}", context);
  if (file.count() <= context)
    throw input_error(
        "{}: {} tokens, expected at least {} (a context of {} and the token after it)",
        file.path().string(), grouped(file.count()), grouped(context + 1), context)
        .with_hint("use more text or a shorter model.context");
}

}  // namespace

// Leaves out at least one window, so that an epoch fits behind any offset in [0, context). A file
// shorter than two contexts gives one window, and window_start() then draws from fewer offsets.
std::int64_t windows_per_epoch(std::int64_t tokens, std::int64_t context) {
  if (tokens <= context) return 0;
  return std::max<std::int64_t>(1, tokens / context - 1);
}

std::int64_t epoch_offset(std::int64_t tokens, std::int64_t context, std::uint64_t seed,
                          std::int64_t epoch) {
  const std::int64_t offsets =
      std::min(context, tokens - windows_per_epoch(tokens, context) * context);
  const CounterRng offset_rng(seed, hash_name("epoch offset"));
  return static_cast<std::int64_t>(
      offset_rng.below(static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(offsets)));
}

BatchStream::BatchStream(std::shared_ptr<const TokenFile> file, std::int64_t context,
                         std::int64_t vocab, Cursor start, WindowSubset subset)
    : file_(std::move(file)),
      context_(context),
      vocab_(vocab),
      windows_(0),
      cursor_(start),
      subset_(std::move(subset)) {
  require_window(*file_, context_);
  ST_CHECK(start.index >= 0, "cursor at {}", start.index);
  windows_ = data::windows_per_epoch(file_->count(), context_);
  if (subset_.windows.empty()) return;
  ST_CHECK(start.index >= subset_.first_index && subset_.windows.back() < windows_,
           "a subset from {} on with window {} of {}, cursor at {}", subset_.first_index,
           subset_.windows.back(), windows_, start.index);
}

std::uint64_t BatchStream::order_key(std::uint64_t epoch) const {
  return CounterRng(cursor_.seed, hash_name("epoch order")).bits(epoch);
}

std::int64_t BatchStream::window_start(std::int64_t index) const {
  if (!subset_.windows.empty()) return selected_start(index - subset_.first_index);
  const std::int64_t epoch = index / windows_;
  const Permutation order(windows_, order_key(static_cast<std::uint64_t>(epoch)));
  return epoch_offset(file_->count(), context_, cursor_.seed, epoch) +
         context_ * order(index % windows_);
}

// index counts from the subset's first sequence on.
std::int64_t BatchStream::selected_start(std::int64_t index) const {
  const std::int64_t size = std::ssize(subset_.windows);
  const auto epoch = static_cast<std::uint64_t>(subset_.generation) << 32 |
                     static_cast<std::uint64_t>(index / size);
  const std::int64_t place = Permutation(size, order_key(epoch))(index % size);
  return epoch_offset(file_->count(), context_, cursor_.seed, 0) +
         context_ * subset_.windows[static_cast<std::size_t>(place)];
}

Batch BatchStream::next(std::int64_t sequences, std::int64_t length) {
  ST_CHECK(sequences >= 1 && length >= 1 && context_ % length == 0,
           "{} sequences of {} in pieces of {}", sequences, context_, length);
  const std::int64_t pieces = context_ / length;
  Batch batch{sequences * pieces, length, {}};
  batch.tokens.resize(static_cast<std::size_t>(batch.rows * (length + 1)));
  std::vector<std::int32_t> window(static_cast<std::size_t>(context_ + 1));
  auto out = batch.tokens.begin();
  for (std::int64_t i = 0; i < sequences; ++i) {
    file_->read(window_start(cursor_.index + i), window, vocab_);
    for (std::int64_t piece = 0; piece < pieces; ++piece)
      out = std::copy_n(window.begin() + piece * length, length + 1, out);
  }
  cursor_.index += sequences;
  return batch;
}

EvaluationSet::EvaluationSet(std::shared_ptr<const TokenFile> file, std::int64_t context,
                             std::int64_t vocab, std::int64_t tokens)
    : file_(std::move(file)), context_(context), vocab_(vocab), windows_(0), available_(0) {
  require_window(*file_, context_);
  available_ = (file_->count() - 1) / context_;
  windows_ = std::clamp(tokens / context_, std::min<std::int64_t>(2, available_), available_);
}

Batch EvaluationSet::batch(std::int64_t first, std::int64_t rows) const {
  ST_CHECK(first >= 0 && rows >= 1 && rows <= windows_ - first, "windows [{}, {}) of {}", first,
           first + rows, windows_);
  Batch batch{rows, context_, {}};
  const auto row = static_cast<std::size_t>(context_ + 1);
  batch.tokens.resize(static_cast<std::size_t>(rows) * row);
  for (std::int64_t i = 0; i < rows; ++i) {
    // The windows_ windows are spaced evenly over the available_ disjoint positions.
    const auto place =
        static_cast<std::int64_t>(static_cast<__int128>(first + i) * available_ / windows_);
    file_->read(place * context_,
                std::span(batch.tokens).subspan(static_cast<std::size_t>(i) * row, row), vocab_);
  }
  return batch;
}

}  // namespace stagedtrain::data
