// Draws without replacement by exponential clocks: a window of weight w rings after a time that is
// exponential with the rate w, and the first to ring are taken (Efraimidis and Spirakis 2006).
#include "data/selected_windows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "data/permutation.h"

namespace stagedtrain::data {

double selection_weight(double gain) { return 1 + gain + gain * gain / 2; }

std::vector<std::int64_t> draw_windows(std::span<const float> gains, std::int64_t count,
                                       std::uint64_t seed, std::int64_t generation) {
  ST_CHECK(count >= 1 && count <= std::ssize(gains), "{} of {} windows", count, gains.size());
  const CounterRng generations(seed, hash_name("selected windows"));
  const CounterRng draws(generations.bits(static_cast<std::uint64_t>(generation)), 0);
  std::vector<std::pair<double, std::int64_t>> rings;
  for (std::size_t i = 0; i < gains.size(); ++i)
    rings.emplace_back(-std::log1p(-draws.uniform(i)) / selection_weight(gains[i]), i);
  std::nth_element(rings.begin(), rings.begin() + (count - 1), rings.end());
  std::vector<std::int64_t> windows;
  for (std::int64_t i = 0; i < count; ++i)
    windows.push_back(rings[static_cast<std::size_t>(i)].second);
  std::ranges::sort(windows);
  return windows;
}

std::int64_t subset_size(std::int64_t windows, double share) {
  return std::clamp<std::int64_t>(std::llround(share * static_cast<double>(windows)), 1, windows);
}

WindowPartitions::WindowPartitions(std::int64_t windows, std::int64_t size, std::uint64_t key)
    : windows_(windows), size_(size), key_(key) {}

std::vector<std::int64_t> WindowPartitions::windows_of(std::int64_t partition) const {
  const Permutation shuffled(windows_, key_);
  std::vector<std::int64_t> windows;
  const std::int64_t end = std::min(windows_, (partition + 1) * size_);
  for (std::int64_t i = partition * size_; i < end; ++i) windows.push_back(shuffled(i));
  return windows;
}

CandidateWindows::CandidateWindows(std::shared_ptr<const TokenFile> file, std::int64_t context,
                                   std::int64_t vocab, std::uint64_t seed)
    : file_(std::move(file)),
      context_(context),
      vocab_(vocab),
      count_(BatchStream(file_, context, vocab, {seed, 0}).windows_per_epoch()),
      offset_(epoch_offset(file_->count(), context, seed, 0)) {}

Batch CandidateWindows::batch(std::span<const std::int64_t> windows) const {
  Batch batch{std::ssize(windows), context_, {}};
  const auto row = static_cast<std::size_t>(context_ + 1);
  batch.tokens.resize(windows.size() * row);
  for (std::size_t i = 0; i < windows.size(); ++i)
    file_->read(offset_ + windows[i] * context_, std::span(batch.tokens).subspan(i * row, row),
                vocab_);
  return batch;
}

}  // namespace stagedtrain::data
